package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// openCOCO reads captions: of Karpathy's split where dataset_coco.json is there, else a
// captions_*.json of COCO.
func openCOCO(folder, split string) (*Dataset, error) {
	name := filepath.Join(folder, "dataset_coco.json")
	if _, err := os.Stat(name); err == nil {
		return openKarpathy(folder, name, split)
	}
	name, split, err := choose(folder, split, COCO.marks()[1:])
	if err != nil {
		return nil, err
	}
	images, err := place(folder, split, "images/"+split)
	if err != nil {
		return nil, err
	}
	c := cocoCaptions{files: map[int64]string{}, captions: map[int64][]string{}}
	err = readArrays(name, arrays{"images": element(c.image), "annotations": element(c.annotation)})
	return &Dataset{Form: COCO, Split: split, Rule: ByVQA, Files: c.collect(images)}, err
}

// cocoCaptions are images and captions by the image's number, the images in order.
type cocoCaptions struct {
	order    []int64
	files    map[int64]string
	captions map[int64][]string
}

func (c *cocoCaptions) image(i struct {
	ID   int64  `json:"id"`
	File string `json:"file_name"`
}) error {
	c.order = append(c.order, i.ID)
	c.files[i.ID] = i.File
	return inside(i.File)
}

func (c *cocoCaptions) annotation(a struct {
	Image   int64  `json:"image_id"`
	Caption string `json:"caption"`
}) error {
	c.captions[a.Image] = append(c.captions[a.Image], a.Caption)
	return nil
}

func (c *cocoCaptions) collect(images string) []File {
	var all collector
	for _, id := range c.order {
		if refs := c.captions[id]; len(refs) > 0 {
			all.add(filepath.Join(images, c.files[id]), 0, 0, Item{ID: id, References: refs})
		}
	}
	return all.files
}

// inside refuses a name that leads out of the images' folder.
func inside(name string) error {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return fmt.Errorf("%q is outside the folder", name)
	}
	return nil
}

// openKarpathy reads dataset_coco.json (Karpathy and Fei-Fei 2015).
func openKarpathy(folder, name, split string) (*Dataset, error) {
	if split == "" {
		split = "test"
	}
	var all collector
	root := folder
	if sub, err := place(folder, "images"); err == nil {
		root = sub
	}
	err := readArrays(name, arrays{"images": element(func(i struct {
		Folder    string `json:"filepath"`
		File      string `json:"filename"`
		Split     string `json:"split"`
		ID        int64  `json:"cocoid"`
		Sentences []struct {
			Raw string `json:"raw"`
		} `json:"sentences"`
	}) error {
		if i.Split != split {
			return nil
		}
		item := Item{ID: i.ID}
		for _, s := range i.Sentences {
			item.References = append(item.References, s.Raw)
		}
		path := filepath.Join(i.Folder, i.File)
		all.add(filepath.Join(root, path), 0, 0, item)
		return inside(path)
	})})
	if err == nil && len(all.files) == 0 {
		err = fmt.Errorf("open data set: %s has no pictures of the split %q", name, split)
	}
	return &Dataset{Form: COCO, Split: split, Rule: ByVQA, Files: all.files}, err
}

// openVQAv2 reads the questions of a split, and the annotations where they are there: the
// tests have none. Answers are grouped by their type.
func openVQAv2(folder, split string) (*Dataset, error) {
	name, split, err := choose(folder, split, VQAv2.marks())
	if err != nil {
		return nil, err
	}
	subset := strings.Replace(split, "test-dev", "test", 1)
	images, err := place(folder, subset, "images/"+subset, "Images/mscoco/"+subset)
	if err != nil {
		return nil, err
	}
	given, err := openAnnotations(folder, split)
	if err != nil {
		return nil, err
	}
	var all collector
	err = readArrays(name, arrays{"questions": element(func(q struct {
		Image    int64  `json:"image_id"`
		ID       int64  `json:"question_id"`
		Question string `json:"question"`
	}) error {
		item := Item{ID: q.ID, Question: q.Question}
		if a, ok := given[q.ID]; ok {
			item.References, item.Groups = a.answers, a.groups
		} else if given != nil {
			return fmt.Errorf("question %d has no annotation", q.ID)
		}
		all.add(filepath.Join(images, fmt.Sprintf("COCO_%s_%012d.jpg", subset, q.Image)), 0, 0, item)
		return nil
	})})
	return &Dataset{Form: VQAv2, Split: split, Rule: ByVQA, Files: all.files}, err
}

// annotation is what people answered to a question of VQAv2.
type annotation struct{ answers, groups []string }

// openAnnotations are those of a split by question, nil where it has none.
func openAnnotations(folder, split string) (map[int64]annotation, error) {
	file := "v2_mscoco_" + split + "_annotations.json"
	found := matches(folder, []string{file, "Annotations/" + file})
	if len(found) == 0 {
		if strings.HasPrefix(split, "test") {
			return nil, nil
		}
		return nil, fmt.Errorf("open data set: %s has no %s", folder, file)
	}
	given := map[int64]annotation{}
	same := map[string]string{} // the same few answers come again and again: each is held once
	return given, readArrays(found[0], arrays{"annotations": element(func(a struct {
		ID      int64  `json:"question_id"`
		Type    string `json:"answer_type"`
		Answers []struct {
			Answer string `json:"answer"`
		} `json:"answers"`
	}) error {
		var answers []string
		for _, one := range a.Answers {
			if _, known := same[one.Answer]; !known {
				same[one.Answer] = strings.Clone(one.Answer)
			}
			answers = append(answers, same[one.Answer])
		}
		given[a.ID] = annotation{answers, []string{a.Type}}
		return nil
	})})
}

// openTextVQA reads a split of TextVQA 0.5.1; its test has no answers.
func openTextVQA(folder, split string) (*Dataset, error) {
	name, split, err := choose(folder, split, TextVQA.marks())
	if err != nil {
		return nil, err
	}
	places := []string{"train_images", "train_val_images/train_images"}
	if split == "test" {
		places = []string{"test_images"}
	}
	images, err := place(folder, places...)
	if err != nil {
		return nil, err
	}
	var all collector
	err = readArrays(name, arrays{"data": element(func(q struct {
		Image    string   `json:"image_id"`
		ID       int64    `json:"question_id"`
		Question string   `json:"question"`
		Answers  []string `json:"answers"`
	}) error {
		all.add(filepath.Join(images, q.Image+".jpg"), 0, 0, Item{ID: q.ID, Question: q.Question, References: q.Answers})
		return inside(q.Image)
	})})
	return &Dataset{Form: TextVQA, Split: split, Rule: ByTextVQA, Files: all.files}, err
}

// openMSRVTTQA reads a split of MSRVTT-QA (Xu et al. 2017). Answers are grouped by the
// question's first word, as in that paper.
func openMSRVTTQA(folder, split string) (*Dataset, error) {
	name, split, err := choose(folder, split, MSRVTTQA.marks())
	if err != nil {
		return nil, err
	}
	own := "TrainValVideo"
	if split == "test" {
		own = "TestVideo"
	}
	videos, err := place(folder, own, "videos", "video", ".")
	if err != nil {
		return nil, err
	}
	var all collector
	err = readArrays(name, arrays{"": element(func(q struct {
		Video    int64  `json:"video_id"`
		ID       int64  `json:"id"`
		Question string `json:"question"`
		Answer   string `json:"answer"`
	}) error {
		first, _, _ := strings.Cut(q.Question, " ")
		item := Item{ID: q.ID, Question: q.Question, References: []string{q.Answer}, Groups: []string{first}}
		all.add(filepath.Join(videos, fmt.Sprintf("video%d.mp4", q.Video)), 0, 0, item)
		return nil
	})})
	return &Dataset{Form: MSRVTTQA, Split: split, Rule: ByEquality, Files: all.files}, err
}

// arrays are what to do with the elements of a file's arrays, by key; "" is the file itself.
type arrays map[string]func(*json.Decoder) error

// each1 decodes one element and hands it on.
func element[T any](use func(T) error) func(*json.Decoder) error {
	return func(d *json.Decoder) error {
		var v T
		if err := d.Decode(&v); err != nil {
			return err
		}
		return use(v)
	}
}

// readArrays reads a file of JSON element by element: some are hundreds of megabytes.
func readArrays(name string, use arrays) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("open data set: %w", err)
	}
	defer f.Close()
	d := json.NewDecoder(f)
	if do, whole := use[""]; whole {
		err = elements(d, do)
	} else {
		err = members(d, use)
	}
	if err != nil {
		return fmt.Errorf("read %s at byte %d: %w", name, d.InputOffset(), err)
	}
	return nil
}

// members reads an object, skips what nobody asked for and misses what is not there.
func members(d *json.Decoder, use arrays) error {
	if err := expect(d, '{'); err != nil {
		return err
	}
	missing := sorted(use)
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string)
		do := use[name]
		if do == nil {
			err = d.Decode(new(json.RawMessage))
		} else {
			missing = slices.DeleteFunc(missing, func(m string) bool { return m == name })
			err = elements(d, do)
		}
		if err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return errors.New("there is no list of " + strings.Join(missing, ", "))
	}
	return expect(d, '}')
}

func elements(d *json.Decoder, do func(*json.Decoder) error) error {
	if err := expect(d, '['); err != nil {
		return err
	}
	for d.More() {
		if err := do(d); err != nil {
			return err
		}
	}
	return expect(d, ']')
}

func expect(d *json.Decoder, want json.Delim) error {
	switch got, err := d.Token(); {
	case err != nil:
		return err
	case got != want:
		return fmt.Errorf("found %v where %v should be", got, want)
	}
	return nil
}
