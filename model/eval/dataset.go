package eval

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Form is a form of data set.
type Form string

// The forms.
const (
	Folder   Form = "folder"    // dataset.jsonl beside clips and pictures
	COCO     Form = "coco"      // captions: dataset_coco.json (Karpathy's split), or captions_*.json
	VQAv2    Form = "vqav2"     // v2_OpenEnded_mscoco_*_questions.json, with annotations but for the tests
	TextVQA  Form = "textvqa"   // TextVQA_0.5.1_*.json
	MSRVTTQA Form = "msrvtt-qa" // *_qa.json
)

// Forms are all forms.
func Forms() []Form { return []Form{Folder, COCO, VQAv2, TextVQA, MSRVTTQA} }

// marks are the files that a form is known by, as patterns in the data set's folder.
func (f Form) marks() []string {
	switch f {
	case Folder:
		return []string{"dataset.jsonl"}
	case COCO:
		return []string{"dataset_coco.json", "captions_*.json", "annotations/captions_*.json"}
	case VQAv2:
		return []string{"v2_OpenEnded_mscoco_*_questions.json", "Questions/v2_OpenEnded_mscoco_*_questions.json"}
	case TextVQA:
		return []string{"TextVQA_0.5.1_*.json"}
	case MSRVTTQA:
		return []string{"*_qa.json"}
	}
	return nil
}

// A Dataset is what is to be shown to a model, and asked.
type Dataset struct {
	Form  Form
	Split string // "" for a folder
	Rule  Rule   // of answers
	Files []File // each once, in the order of the data set
}

// A File is a clip or a picture.
type File struct {
	Path      string
	Stretches []Stretch
}

// A Stretch is a part of a file, seen as one window, and all that is asked about it.
type Stretch struct {
	From, To time.Duration // To is 0 for the end
	Items    []Item
}

// Open reads a data set. An empty form is found out from the files that are there; an
// empty split is the only one there is, or of Karpathy's "test".
func Open(folder string, form Form, split string) (*Dataset, error) {
	if form == "" {
		var err error
		if form, err = findForm(folder); err != nil {
			return nil, err
		}
	}
	switch form {
	case Folder:
		return openFolder(folder, split)
	case COCO:
		return openCOCO(folder, split)
	case VQAv2:
		return openVQAv2(folder, split)
	case TextVQA:
		return openTextVQA(folder, split)
	case MSRVTTQA:
		return openMSRVTTQA(folder, split)
	}
	return nil, fmt.Errorf("open data set: unknown form %q: use one of %v", form, Forms())
}

func findForm(folder string) (Form, error) {
	if info, err := os.Stat(folder); err != nil {
		return "", fmt.Errorf("open data set: %w", err)
	} else if !info.IsDir() {
		return "", fmt.Errorf("open data set: %s is a file: name the folder it lies in", folder)
	}
	found := filter(Forms(), func(f Form) bool { return len(matches(folder, f.marks())) > 0 })
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", fmt.Errorf("open data set: %s has no dataset.jsonl, nor a published data set's files", folder)
	}
	return "", fmt.Errorf("open data set: %s could be any of %v: say which", folder, found)
}

// matches are the files in folder that patterns name.
func matches(folder string, patterns []string) (paths []string) {
	for _, p := range patterns {
		names, _ := filepath.Glob(filepath.Join(literal(folder), filepath.FromSlash(p))) // fails for bad patterns alone
		paths = append(paths, names...)
	}
	return paths
}

// literal is a path as a pattern that names it alone.
func literal(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// choose is the one file that a pattern with a star names, with the star's text: the split.
// val stands for val2014.
func choose(folder, split string, patterns []string) (path, name string, err error) {
	splits := map[string]string{}
	for _, pattern := range patterns {
		before, after, _ := strings.Cut(filepath.Base(pattern), "*")
		for _, p := range matches(folder, []string{pattern}) {
			star := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(p), before), after)
			if split == "" || split == star || split == strings.TrimRight(star, "0123456789") {
				splits[star] = p
			}
		}
	}
	names := sorted(splits)
	switch len(names) {
	case 1:
		return splits[names[0]], names[0], nil
	case 0:
		return "", "", fmt.Errorf("open data set: %s has no file %s for the split %q", folder, strings.Join(patterns, " or "), split)
	}
	return "", "", fmt.Errorf("open data set: %s has the splits %s: say which", folder, strings.Join(names, ", "))
}

// place is the first of the folders that exists.
func place(folder string, names ...string) (string, error) {
	for _, n := range names {
		path := filepath.Join(folder, filepath.FromSlash(n))
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return path, nil
		}
	}
	return "", fmt.Errorf("open data set: %s has no folder %s", folder, strings.Join(names, " or "))
}

// A collector brings together what is asked about the same file and stretch.
type collector struct {
	files []File
	at    map[string]int // path: its place in files
}

func (c *collector) add(path string, from, to time.Duration, items ...Item) {
	i, known := c.at[path]
	if !known {
		if c.at == nil {
			c.at = map[string]int{}
		}
		i = len(c.files)
		c.at[path] = i
		c.files = append(c.files, File{Path: path})
	}
	f := &c.files[i]
	s := slices.IndexFunc(f.Stretches, func(s Stretch) bool { return s.From == from && s.To == to })
	if s < 0 {
		s = len(f.Stretches)
		f.Stretches = append(f.Stretches, Stretch{From: from, To: to})
	}
	f.Stretches[s].Items = append(f.Stretches[s].Items, items...)
}

// Limit keeps the first n texts.
func (d *Dataset) Limit(n int) {
	for i := range d.Files {
		for j := range d.Files[i].Stretches {
			s := &d.Files[i].Stretches[j]
			if n -= len(s.Items); n <= 0 {
				s.Items = s.Items[:len(s.Items)+n]
				d.Files[i].Stretches = d.Files[i].Stretches[:j+1]
				d.Files = d.Files[:i+1]
				return
			}
		}
	}
}

// Size is the number of texts asked for.
func (d *Dataset) Size() (n int) {
	for _, f := range d.Files {
		for _, s := range f.Stretches {
			n += len(s.Items)
		}
	}
	return n
}

// Only is the data set with the items that keep keeps, and the files that have some.
func (d *Dataset) Only(keep func(Item) bool) *Dataset {
	only := *d
	only.Files = nil
	for _, f := range d.Files {
		var kept []Stretch
		for _, s := range f.Stretches {
			if s.Items = filter(s.Items, keep); len(s.Items) > 0 {
				kept = append(kept, s)
			}
		}
		if len(kept) > 0 {
			only.Files = append(only.Files, File{f.Path, kept})
		}
	}
	return &only
}
