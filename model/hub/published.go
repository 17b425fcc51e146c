package hub

import (
	"slices"
	"strings"
)

// Published is a figure that Hugging Face published for a checkpoint: the first three
// logits at the last position when the text is [CLS] (101) alone. They come from
// transformers' convert_git_to_pytorch.py, which compared them within 1e-4 on the same
// decoded pixels.
type Published struct {
	Model  string // owner/name
	Input  string // what the encoder saw
	Video  bool   // six frames that cannot be had again exactly: for reading only
	Logits [3]float32
}

// Tolerance is how far a logit may be from the published one. 1e-4 holds for equal
// pixels; JPEG decoders differ by a few levels in some samples, which moves logits more.
const Tolerance = 2e-3

// The inputs of the published figures.
const (
	cats      = "COCO val2017 000000039769.jpg (two cats on a pink blanket)"
	bus       = "bus.png (the front of a bus, from TextVQA)"
	spaghetti = "eating_spaghetti.mp4, six frames at random, seed 0"
)

// Figures returns all published figures.
func Figures() []Published {
	image := func(name, input string, a, b, c float32) Published {
		return Published{"microsoft/" + name, input, false, [3]float32{a, b, c}}
	}
	video := func(name string, a, b, c float32) Published {
		return Published{"microsoft/" + name, spaghetti, true, [3]float32{a, b, c}}
	}
	return []Published{
		image("git-base", cats, -1.2832, -1.2835, -1.2840),
		image("git-base-coco", cats, -0.9925, -0.9930, -0.9935),
		image("git-base-textcaps", cats, -1.2980, -1.2983, -1.2985),
		image("git-base-vqav2", cats, -0.8570, -0.8568, -0.8561),
		image("git-base-textvqa", bus, -1.4085, -1.4083, -1.4082),
		video("git-base-vatex", -1.3451, -1.3447, -1.3447),
		video("git-base-msrvtt-qa", -0.8554, -0.8550, -0.8540),
		image("git-large", cats, -1.1708, -1.1707, -1.1705),
		image("git-large-coco", cats, -1.0425, -1.0423, -1.0422),
		image("git-large-textcaps", cats, -1.2705, -1.2708, -1.2706),
		image("git-large-vqav2", cats, -0.7042, -0.7043, -0.7043),
		image("git-large-textvqa", bus, -0.8590, -0.8592, -0.8590),
		video("git-large-vatex", -1.0113, -1.0114, -1.0113),
		video("git-large-msrvtt-qa", 0.0130, 0.0134, 0.0131),
		image("git-large-r", cats, -1.1283, -1.1285, -1.1286),
		image("git-large-r-coco", cats, -0.9641, -0.9641, -0.9641),
		image("git-large-r-textcaps", cats, -1.1121, -1.1120, -1.1124),
	}
}

// Figure returns the published figure of a Hub name, with or without owner and revision.
func Figure(name string) (Published, bool) {
	name, _, _ = strings.Cut(name, "@")
	if !strings.Contains(name, "/") {
		name = "microsoft/" + name
	}
	for _, p := range Figures() {
		if p.Model == name {
			return p, true
		}
	}
	return Published{}, false
}

// SafetensorsRevision is where a public checkpoint has safetensors, if not on the revision
// itself: the request by which the Hub's converter offered them, as of late 2025.
func SafetensorsRevision(r Ref) (string, bool) {
	const request = "refs/pr/1"
	offered := []string{
		"git-base-coco", "git-base-textcaps", "git-large", "git-large-textcaps", "git-large-vatex",
		"git-large-msrvtt-qa", "git-large-r-coco", "git-large-r-textcaps",
	}
	return request, r.Owner == "microsoft" && r.Revision != request && slices.Contains(offered, r.Name)
}
