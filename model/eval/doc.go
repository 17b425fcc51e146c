// Package eval scores captions and answers against references: exact match, BLEU-4,
// ROUGE-L and CIDEr-D of captions tokenised as the COCO evaluation does, the accuracies of
// VQAv2 and TextVQA, and calibration. It reads data sets, as a simple folder or as they are
// published, and says what is to be shown to a model; it shows nothing itself.
//
// Numbers equal those of pycocoevalcap 1.2, vqaEval.py and mmf, which made the golden files
// in testdata.
package eval
