package wordpiece

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const goodJSON = `{"version":"1.0","truncation":null,"padding":null,"added_tokens":[%s],
"normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true},
"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":null,"decoder":{"type":"WordPiece","prefix":"##","cleanup":true},
"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{"[UNK]":0,"a":1,"[CLS]":2}}}`

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := fmt.Sprintf(goodJSON, "")
	change := func(pairs ...string) Files {
		s := good
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(s, pairs[i]) {
				t.Fatalf("%q is not in the good file", pairs[i])
			}
			s = strings.Replace(s, pairs[i], pairs[i+1], 1)
		}
		return Files{TokenizerJSON: []byte(s)}
	}
	for _, c := range []struct {
		files Files
		want  []string
	}{
		{Files{}, []string{"neither tokenizer.json nor vocab.txt"}},
		{Files{VocabTxt: []byte("a\nb\n")}, []string{`lacks its unknown token "[UNK]"`}},
		{Files{VocabTxt: make([]byte, maxFile+1)}, []string{"read vocab.txt: 67108865 bytes"}},
		{Files{VocabTxt: []byte("[UNK]"), TokenizerConfig: []byte("{")}, []string{"read tokenizer_config.json"}},
		{Files{VocabTxt: []byte("[UNK]"), TokenizerConfig: []byte(`{"added_tokens_decoder":{"x":{}}}`)}, []string{`"x" is not an id`}},
		{Files{VocabTxt: []byte("[UNK]"), SpecialTokensMap: []byte(`{"cls_token":7}`)}, []string{"read special_tokens_map.json"}},
		{Files{TokenizerJSON: []byte("[]")}, []string{"not a JSON object"}},
		{Files{TokenizerJSON: []byte("null")}, []string{"not a JSON object"}},
		{change("BertNormalizer", "Lowercase", "BertPreTokenizer", "Whitespace"), []string{`"Lowercase"`, `"Whitespace"`}},
		{change(`{"type":"WordPiece","unk_token"`, `{"type":"BPE","merges":[],"unk_token"`, `"cleanup":true`, `"trim":1`),
			[]string{`"BPE"`, `"merges" is not supported`, `"trim" is not supported`}},
		{change(`"version"`, `"surprise":1,"version"`), []string{`"surprise" is not supported`}},
		{change(`"a":1`, `"a":0`), []string{`tokens "[UNK]" and "a" share id 0`}},
		{change(`"a":1`, `"a":-1`, `"[CLS]":2`, `"[CLS]":99999999`), []string{`"a" has id -1`, `"[CLS]" has id 99999999`}},
		{change("_word\":100", "_word\":0"), []string{"max_input_chars_per_word is 0"}},
		{change("_word\":100", "_word\":5000"), []string{"max_input_chars_per_word is 5000"}},
		{Files{TokenizerJSON: fmt.Appendf(nil, goodJSON, `{"id":7,"content":"<x>"}`)}, []string{`"<x>" has id 7, but its place in the vocabulary is 3`}},
		{Files{TokenizerJSON: []byte(good), VocabTxt: []byte("[PAD]\n[UNK]\n[CLS]\n")},
			[]string{"[UNK] is 0 in tokenizer.json and 1 in vocab.txt", "[PAD] is missing in tokenizer.json and 0"}},
	} {
		v, err := New(c.files)
		if v != nil || err == nil {
			t.Errorf("want %q, got %v", c.want, v)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("want %q in: %v", want, err)
			}
		}
	}
}

func TestManyProblemsStayReadable(t *testing.T) {
	t.Parallel()
	bad := `"[UNK]":0`
	for i := range 1000 {
		bad += fmt.Sprintf(`,"x%d":%d`, i, -1-i)
	}
	_, err := New(Files{TokenizerJSON: []byte(strings.Replace(fmt.Sprintf(goodJSON, ""), `"[UNK]":0`, bad, 1))})
	if err == nil || !strings.Contains(err.Error(), "and 980 more") || len(err.Error()) > 4000 {
		t.Errorf("%d bytes: %.300v", len(err.Error()), err)
	}
}

func TestConfigAddsTokens(t *testing.T) {
	t.Parallel()
	v := open(t, Files{
		VocabTxt: []byte("[UNK]\r\na\r\n##b\r\n"),
		TokenizerConfig: []byte(`{"added_tokens_decoder":{"4":{"content":"<y>"},"3":{"content":"<x>","special":true}},
			"additional_special_tokens":["<z>",{"content":"<x>"}]}`),
		SpecialTokensMap: []byte(`{"unk_token":{"content":"[UNK]","normalized":false}}`),
	})
	if got, want := v.Encode("a<x>ab<y><z>?"), []int64{1, 3, 1, 2, 4, 5, 0}; !slices.Equal(got, want) {
		t.Errorf("ids %v, want %v", got, want)
	}
	if got := v.Decode([]int64{1, 2, 3, 4, 5, 0}, DecodeOptions{}); got != "ab <y>" {
		t.Errorf("text %q", got)
	}
	if id, ok := v.ID("<z>"); v.Len() != 6 || !ok || id != 5 || v.Token(5) != "<z>" {
		t.Errorf("%d tokens, <z> is %d", v.Len(), id)
	}
	for _, id := range []int64{-1, 6, 1 << 62, -1 << 63} {
		if v.Token(id) != "" || v.Decode([]int64{id}, DecodeOptions{KeepSpecial: true}) != "" {
			t.Errorf("id %d means something", id)
		}
	}
}

func TestEncodeInvalidUTF8(t *testing.T) {
	t.Parallel()
	v := open(t, Files{VocabTxt: readFile(t, "vocab.txt")})
	if got, want := v.Encode("c\xffa\xc3t\x80 d\xed\xa0\x80og"), v.Encode("cat dog"); !slices.Equal(got, want) {
		t.Errorf("ids %v, want %v", got, want)
	}
}

func FuzzEncodeDecode(f *testing.F) {
	full := open(f, Files{TokenizerJSON: readFile(f, "tokenizer.json")})
	for _, s := range []string{"a cat.", "[CLS]#hash  <new>", "caf\u00e9 CAFÉ", "\xff\x00\u2028", "persons person", "한글東京"} {
		f.Add(s, int64(7), int64(-1))
	}
	f.Fuzz(func(t *testing.T, s string, a, b int64) {
		ids := full.Encode(s)
		for _, id := range ids {
			if full.Token(id) == "" {
				t.Errorf("%q has the unknown id %d", s, id)
			}
		}
		full.Decode(append(ids, a, b), DecodeOptions{KeepSpecial: true})
		full.Decode([]int64{b, a}, DecodeOptions{})
	})
}

func FuzzNew(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(goodJSON, `{"id":3,"content":"<x>","normalized":true}`)), []byte("[UNK]\na\n"), []byte(`{"unk_token":"[UNK]"}`))
	f.Add([]byte(`{"model":{"vocab":{"":0}}}`), []byte("\n\n\r\n"), []byte(`{"added_tokens_decoder":{"-1":{"content":"x"}}}`))
	f.Fuzz(func(t *testing.T, tokenizer, vocab, config []byte) {
		for _, files := range []Files{
			{TokenizerJSON: tokenizer, VocabTxt: vocab}, {VocabTxt: vocab, TokenizerConfig: config, SpecialTokensMap: config},
		} {
			if v, err := New(files); err == nil {
				v.Decode(v.Encode("a [CLS] <x>é"), DecodeOptions{})
			}
		}
	})
}
