package eval

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// lay writes files into a new folder; a name that ends in a slash is a folder.
func lay(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const (
	karpathy = `{"images": [
		{"filepath": "val2014", "sentids": [770337], "filename": "COCO_val2014_000000391895.jpg", "imgid": 0, "split": "test",
		 "sentences": [{"tokens": ["a", "man"], "raw": "A man.", "imgid": 0, "sentid": 770337}, {"tokens": [], "raw": "One man.", "imgid": 0, "sentid": 771687}], "cocoid": 391895},
		{"filepath": "train2014", "filename": "COCO_train2014_000000000009.jpg", "split": "restval", "sentences": [{"raw": "Food."}], "cocoid": 9}],
		"dataset": "coco"}`
	cocoVal = `{"info": {"year": 2014}, "images": [{"license": 5, "file_name": "COCO_val2014_000000000042.jpg", "height": 478, "width": 640, "id": 42},
		{"file_name": "COCO_val2014_000000000073.jpg", "id": 73}],
		"licenses": [], "annotations": [{"image_id": 73, "id": 2, "caption": "A bike."}, {"image_id": 42, "id": 1, "caption": "A dog."}, {"image_id": 42, "id": 3, "caption": "One dog."}]}`
	questionsVal = `{"info": {}, "task_type": "Open-Ended", "data_type": "mscoco", "license": {}, "data_subtype": "val2014", "questions": [
		{"image_id": 458752, "question": "What is it?", "question_id": 458752000}, {"image_id": 262148, "question": "Where?", "question_id": 262148000},
		{"image_id": 458752, "question": "Is it?", "question_id": 458752001}]}`
	annotationsVal = `{"info": {}, "license": {}, "data_subtype": "val2014", "annotations": [
		{"question_type": "what is", "multiple_choice_answer": "net", "answers": [{"answer": "net", "answer_confidence": "maybe", "answer_id": 1}, {"answer": "mesh", "answer_confidence": "yes", "answer_id": 2}], "image_id": 458752, "answer_type": "other", "question_id": 458752000},
		{"question_type": "none", "answers": [{"answer": "down", "answer_id": 1}], "image_id": 262148, "answer_type": "other", "question_id": 262148000},
		{"question_type": "is it", "answers": [{"answer": "yes", "answer_id": 1}], "image_id": 458752, "answer_type": "yes/no", "question_id": 458752001}], "data_type": "mscoco"}`
	questionsTestDev = `{"data_subtype": "test-dev2015", "questions": [{"image_id": 1, "question": "Why?", "question_id": 1000}]}`
	textVQAVal       = `{"dataset_type": "val", "dataset_name": "textvqa", "dataset_version": "0.5.1", "data": [{"question": "what brand?", "image_id": "003a8ae2ef43b901",
		"image_classes": ["Camera"], "flickr_original_url": "", "image_width": 1024, "image_height": 664, "answers": ["dakota", "dakota digital"], "question_tokens": ["what"], "question_id": 34602, "set_name": "val"}]}`
	msrvttTest = `[{"answer": "couch", "category_id": 14, "id": 158581, "question": "what is a woman sitting on", "video_id": 7010},
		{"answer": "man", "category_id": 14, "id": 158582, "question": "who talks", "video_id": 7010}]`
)

func TestOpenPublished(t *testing.T) {
	t.Parallel()
	whole := func(items ...Item) []Stretch { return []Stretch{{Items: items}} }
	for name, tt := range map[string]struct {
		files map[string]string
		split string
		want  Dataset
	}{
		"Karpathy's split": {map[string]string{"dataset_coco.json": karpathy}, "",
			Dataset{COCO, "test", ByVQA, []File{{"val2014/COCO_val2014_000000391895.jpg", whole(Item{ID: 391895, References: []string{"A man.", "One man."}})}}}},
		"Karpathy's restval, pictures in images": {map[string]string{"dataset_coco.json": karpathy, "images/": ""}, "restval",
			Dataset{COCO, "restval", ByVQA, []File{{"images/train2014/COCO_train2014_000000000009.jpg", whole(Item{ID: 9, References: []string{"Food."}})}}}},
		"COCO": {map[string]string{"annotations/captions_val2014.json": cocoVal, "val2014/": ""}, "val",
			Dataset{COCO, "val2014", ByVQA, []File{
				{"val2014/COCO_val2014_000000000042.jpg", whole(Item{ID: 42, References: []string{"A dog.", "One dog."}})},
				{"val2014/COCO_val2014_000000000073.jpg", whole(Item{ID: 73, References: []string{"A bike."}})},
			}}},
		"VQAv2": {map[string]string{"v2_OpenEnded_mscoco_val2014_questions.json": questionsVal, "v2_mscoco_val2014_annotations.json": annotationsVal, "val2014/": "",
			"v2_OpenEnded_mscoco_test-dev2015_questions.json": questionsTestDev}, "val",
			Dataset{VQAv2, "val2014", ByVQA, []File{
				{"val2014/COCO_val2014_000000458752.jpg", whole(
					Item{458752000, "What is it?", []string{"net", "mesh"}, []string{"other"}},
					Item{458752001, "Is it?", []string{"yes"}, []string{"yes/no"}})},
				{"val2014/COCO_val2014_000000262148.jpg", whole(Item{262148000, "Where?", []string{"down"}, []string{"other"}})},
			}}},
		"VQAv2 test-dev": {map[string]string{"Questions/v2_OpenEnded_mscoco_test-dev2015_questions.json": questionsTestDev, "test2015/": "",
			"Questions/v2_OpenEnded_mscoco_test2015_questions.json": questionsTestDev}, "test-dev",
			Dataset{VQAv2, "test-dev2015", ByVQA, []File{{"test2015/COCO_test2015_000000000001.jpg", whole(Item{ID: 1000, Question: "Why?"})}}}},
		"TextVQA": {map[string]string{"TextVQA_0.5.1_val.json": textVQAVal, "train_images/": ""}, "",
			Dataset{TextVQA, "val", ByTextVQA, []File{{"train_images/003a8ae2ef43b901.jpg", whole(Item{ID: 34602, Question: "what brand?", References: []string{"dakota", "dakota digital"}})}}}},
		"MSRVTT-QA": {map[string]string{"test_qa.json": msrvttTest, "val_qa.json": "[]", "TestVideo/": ""}, "test",
			Dataset{MSRVTTQA, "test", ByEquality, []File{{"TestVideo/video7010.mp4", whole(
				Item{158581, "what is a woman sitting on", []string{"couch"}, []string{"what"}},
				Item{158582, "who talks", []string{"man"}, []string{"who"}})}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := lay(t, tt.files)
			got, err := Open(root, "", tt.split)
			if err != nil {
				t.Fatal(err)
			}
			for i := range tt.want.Files {
				tt.want.Files[i].Path = filepath.Join(root, tt.want.Files[i].Path)
			}
			if !reflect.DeepEqual(*got, tt.want) {
				t.Errorf("got\n%+v\nwant\n%+v", *got, tt.want)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		files map[string]string
		form  Form
		split string
		want  string
	}{
		"nothing":          {map[string]string{"a.mp4": ""}, "", "", "has no dataset.jsonl"},
		"two forms":        {map[string]string{"dataset.jsonl": "", "test_qa.json": ""}, "", "", "could be any of [folder msrvtt-qa]"},
		"unknown form":     {nil, "pile", "", `unknown form "pile"`},
		"two splits":       {map[string]string{"test_qa.json": "", "val_qa.json": ""}, "", "", "has the splits test, val"},
		"unknown split":    {map[string]string{"test_qa.json": ""}, "", "train", `for the split "train"`},
		"no pictures":      {map[string]string{"TextVQA_0.5.1_val.json": textVQAVal}, "", "", "has no folder train_images or"},
		"no such pictures": {map[string]string{"dataset_coco.json": karpathy}, "", "val", "no pictures of the split"},
		"no annotations":   {map[string]string{"v2_OpenEnded_mscoco_val2014_questions.json": questionsVal, "val2014/": ""}, "", "", "has no v2_mscoco_val2014_annotations.json"},
		"an unanswered question": {map[string]string{"v2_OpenEnded_mscoco_val2014_questions.json": questionsVal, "val2014/": "",
			"v2_mscoco_val2014_annotations.json": `{"annotations": []}`}, "", "", "question 458752000 has no annotation"},
		"a list that is missing": {map[string]string{"dataset_coco.json": `{"dataset": "coco"}`}, "", "", "there is no list of images"},
		"a list that is none":    {map[string]string{"dataset_coco.json": `{"images": 3}`}, "", "", "found 3 where [ should be"},
		"cut off":                {map[string]string{"dataset_coco.json": karpathy[:90]}, "", "", "unexpected EOF"},
		"a way out":              {map[string]string{"dataset_coco.json": `{"images": [{"filepath": "../..", "filename": "x.jpg", "split": "test"}]}`}, "", "", "outside the folder"},
		"a folder's split":       {map[string]string{"dataset.jsonl": "{}"}, "", "val", "a folder has no split"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Open(lay(t, tt.files), tt.form, tt.split); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestOpenFolder(t *testing.T) {
	t.Parallel()
	root := lay(t, map[string]string{"dataset.jsonl": `{"file":"clips/1.mp4","from":1.5,"to":4,"captions":["a red circle"],"groups":["circle"]}

{"file":"2.png","captions":["x"],"question":"what?","answers":["y","z"]}
{"file":"clips/1.mp4","from":1.5,"to":4,"question":"who?","answers":["he"]}
{"file":"clips/1.mp4","question":"when?","answers":["now"]}
`})
	got, err := Open(root, "", "")
	if err != nil {
		t.Fatal(err)
	}
	want := &Dataset{Form: Folder, Rule: ByVQA, Files: []File{
		{filepath.Join(root, "clips", "1.mp4"), []Stretch{
			{1500 * time.Millisecond, 4 * time.Second, []Item{
				{References: []string{"a red circle"}, Groups: []string{"circle"}}, {Question: "who?", References: []string{"he"}}}},
			{0, 0, []Item{{Question: "when?", References: []string{"now"}}}},
		}},
		{filepath.Join(root, "2.png"), []Stretch{{0, 0, []Item{{References: []string{"x"}}, {Question: "what?", References: []string{"y", "z"}}}}}},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if n := got.Size(); n != 5 {
		t.Errorf("%d texts, want 5", n)
	}
	if only := got.Only(func(i Item) bool { return i.Question == "" }); only.Size() != 2 || len(only.Files[0].Stretches) != 1 || got.Size() != 5 {
		t.Errorf("captions only: %+v", only)
	}
	for limit, files := range map[int]int{1: 1, 3: 1, 4: 2, 5: 2, 9: 2} {
		d, err := Open(root, Folder, "")
		if err != nil {
			t.Fatal(err)
		}
		if d.Limit(limit); d.Size() != min(limit, 5) || len(d.Files) != files {
			t.Errorf("limit %d: %d texts of %d files", limit, d.Size(), len(d.Files))
		}
	}
}

// All that is wrong is said at once, with the line.
func TestFolderProblems(t *testing.T) {
	t.Parallel()
	lines := []struct{ line, want string }{
		{`{"captions":["x"]}`, "file is missing"},
		{`{"file":"../x.mp4","captions":["x"]}`, `file "../x.mp4" is outside the folder`},
		{`{"file":"/x.mp4","captions":["x"]}`, "is outside the folder"},
		{`{"file":"x.mp4","from":-1,"captions":["x"]}`, "from is no time"},
		{`{"file":"x.mp4","from":3,"to":3,"captions":["x"]}`, "to must be a time in seconds after from"},
		{`{"file":"x.mp4","to":1e300,"captions":["x"]}`, "to must be a time"},
		{`{"file":"x.mp4"}`, "neither captions nor a question"},
		{`{"file":"x.mp4","question":"x"}`, "a question without answers"},
		{`{"file":"x.mp4","captions":["x"],"answers":["x"]}`, "answers without a question"},
		{`{"file":"x.mp4","captions":[""]}`, "an empty caption"},
		{`{"file":"x.mp4","caption":["x"]}`, `unknown field "caption"`},
		{`{"file":"x.mp4","captions":["x"]} {}`, "more than one JSON object"},
		{`["x.mp4"]`, "no JSON object"},
		{`{`, "unexpected EOF"},
	}
	var text strings.Builder
	for _, l := range lines {
		fmt.Fprintln(&text, l.line)
	}
	_, err := Open(lay(t, map[string]string{"dataset.jsonl": text.String()}), "", "")
	if err == nil {
		t.Fatal("no error")
	}
	said := strings.Split(err.Error(), "\n")[1:]
	if len(said) != len(lines) {
		t.Fatalf("%d problems, want %d:\n%v", len(said), len(lines), err)
	}
	for i, l := range lines {
		if !strings.HasPrefix(said[i], fmt.Sprintf("line %d: ", i+1)) || !strings.Contains(said[i], l.want) {
			t.Errorf("%s: %q, want %q", l.line, said[i], l.want)
		}
	}
	for _, text := range []string{"", "\n\n", strings.Repeat(" ", maxLine+1)} {
		if _, err := Open(lay(t, map[string]string{"dataset.jsonl": text}), "", ""); err == nil {
			t.Errorf("%.9q is taken", text)
		}
	}
}

func FuzzFolder(f *testing.F) {
	f.Add(`{"file":"clips/1.mp4","from":1.5,"to":4,"captions":["a"],"question":"b","answers":["c"],"groups":["d"]}`)
	f.Add("\n{}\n[]")
	f.Fuzz(func(t *testing.T, text string) {
		var all collector
		if err := readLines(strings.NewReader(text), "data", &all); err != nil {
			return
		}
		for _, file := range all.files {
			if !strings.HasPrefix(file.Path, "data") || strings.Contains(file.Path, "..") && !filepath.IsLocal(file.Path) {
				t.Errorf("%q leads to %q", text, file.Path)
			}
		}
	})
}
