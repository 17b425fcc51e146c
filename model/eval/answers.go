package eval

import (
	"regexp"
	"slices"
	"strings"
)

// A Rule says how an answer is judged.
type Rule string

// The rules.
const (
	// ByVQA is the official evaluation's of VQAv2 (Antol et al. 2015; vqaEval.py): each
	// answer is left out once, and three equal ones of the others make a right answer.
	// Spelling is normalised only where the references differ.
	ByVQA Rule = "vqa"
	// ByTextVQA is that of the TextVQA challenge (mmf's EvalAIAnswerProcessor): the same
	// count, always of normalised answers.
	ByTextVQA Rule = "textvqa"
	// ByEquality counts an answer that is the reference's, letter by letter.
	ByEquality Rule = "exact"
)

// minAnswers is the least number of references for which leaving one out leaves three.
const minAnswers = 4

// accuracy is how right an answer is, from 0 to 1. With fewer than four references there
// are no three others to agree: then one equal reference, both normalised, is enough.
func (r Rule) accuracy(text string, references []string) float64 {
	switch {
	case r == ByEquality:
		return yes(slices.Contains(references, text))
	case r == ByTextVQA:
		text, references = textVQA(text), each(references, textVQA)
	default:
		text, references = trim(text), each(references, trim)
		if len(references) < minAnswers || len(slices.Compact(slices.Sorted(slices.Values(references)))) > 1 {
			text, references = normal(text), each(references, normal)
		}
	}
	if len(references) < minAnswers {
		return yes(slices.Contains(references, text))
	}
	return leaveOneOut(text, references)
}

// leaveOneOut is the mean over the references of min(1, equal others / 3).
func leaveOneOut(text string, references []string) float64 {
	equal := 0.0
	for _, ref := range references {
		equal += yes(ref == text)
	}
	others := float64(len(references)) - equal
	return (equal*min(1, (equal-1)/3) + others*min(1, equal/3)) / float64(len(references))
}

func yes(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func each(texts []string, do func(string) string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = do(t)
	}
	return out
}

// trim makes one line of a text.
func trim(s string) string {
	return strings.TrimSpace(strings.NewReplacer("\n", " ", "\t", " ").Replace(s))
}

// normal spells a trimmed answer as vqaEval.py does.
func normal(s string) string { return spell(withoutPunctuation(s)) }

// textVQA spells an answer as EvalAIAnswerProcessor does.
func textVQA(s string) string {
	s = strings.NewReplacer(",", "", "?", "").Replace(strings.ToLower(s))
	return normal(trim(strings.ReplaceAll(s, "'s", " 's")))
}

// thousands is a comma between digits: a text with one loses all its punctuation.
var thousands = regexp.MustCompile(`[0-9],[0-9]`)

// withoutPunctuation drops marks that touch a space, makes spaces of the others, and drops
// dots but those before a digit.
func withoutPunctuation(s string) string {
	out, number := s, thousands.MatchString(s)
	for _, mark := range strings.Split(";/[]\"{}()=+\\_-><@`,?!", "") {
		with := " "
		if number || strings.Contains(s, mark+" ") || strings.Contains(s, " "+mark) {
			with = ""
		}
		out = strings.ReplaceAll(out, mark, with)
	}
	return withoutDots(out)
}

// withoutDots drops the first 32 dots with no digit after them. It is so in the original,
// which hands a flag of that value to an argument that counts.
func withoutDots(s string) string {
	var out strings.Builder
	dropped := 0
	for i := range len(s) {
		if s[i] == '.' && dropped < 32 && (i+1 == len(s) || s[i+1] < '0' || s[i+1] > '9') {
			dropped++
			continue
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// spell lowers the case, writes numbers up to ten in digits, leaves articles out and gives
// contractions their apostrophes.
func spell(s string) string {
	var words []string
	for _, w := range strings.Fields(strings.ToLower(s)) {
		switch w {
		case "a", "an", "the":
			continue
		case "none":
			w = "0"
		}
		if n := slices.Index(strings.Fields("zero one two three four five six seven eight nine ten"), w); n >= 0 {
			w = []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}[n]
		}
		words = append(words, contraction(w))
	}
	return strings.Join(words, " ")
}

// contraction is the word with the apostrophe that it lacks. let's and she's are not
// looked for without theirs: lets and shes are words.
func contraction(w string) string {
	if w == "somebody'd" { // as in the original, whose entry is the wrong way round
		return "somebodyd"
	}
	for _, full := range strings.Fields(contractions) {
		if len(full) != len(w)+1 {
			continue
		}
		for i := range full {
			if full[i] == '\'' && full[:i]+full[i+1:] == w {
				return full
			}
		}
	}
	return w
}

// contractions are those of the official evaluation.
const contractions = `ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't
	he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've
	needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll
	somebody's someone'd someone'd've someone'll someone's something'd something'd've something'll that's there'd
	there'd've there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll
	what're what's what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't
	would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've`
