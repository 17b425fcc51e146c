package configs

import (
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// configFlag names the file; it is not a key.
const configFlag = "config"

// A key is one value of Config.
type key struct {
	path  string // model.low_memory
	usage string
	value any // the default
}

func (k key) flag() string { return strings.NewReplacer(".", "-", "_", "-").Replace(k.path) }

func (k key) variable() string {
	return "CAPTIOND_" + strings.ToUpper(strings.ReplaceAll(k.path, ".", "_"))
}

// text is the default as it would be written.
func (k key) text() string {
	switch v := k.value.(type) {
	case slog.Level:
		return strings.ToLower(v.String())
	case time.Duration:
		if day := 24 * time.Hour; v > 0 && v%day == 0 {
			return fmt.Sprintf("%dd", v/day)
		}
	}
	return fmt.Sprint(k.value)
}

// keys lists every key that is a single value, in the order of the structs.
func keys() []key { return keysOf(reflect.ValueOf(Default()), "") }

func keysOf(v reflect.Value, prefix string) (ks []key) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		path := prefix + f.Tag.Get("mapstructure")
		switch f.Type.Kind() {
		case reflect.Struct:
			ks = append(ks, keysOf(v.Field(i), path+".")...)
		case reflect.Slice: // for the file alone
		default:
			ks = append(ks, key{path, f.Tag.Get("usage"), v.Field(i).Interface()})
		}
	}
	return ks
}

// known has true for the paths of keys and false for those of sections.
func known(ks []key) map[string]bool {
	paths := map[string]bool{}
	for _, k := range ks {
		if section, _, inside := strings.Cut(k.path, "."); inside {
			paths[section] = false
		}
		paths[k.path] = true
	}
	return paths
}

// A shortForm is a flag that sets one or more keys; their own flags stand over it.
type shortForm struct {
	flag, usage string
	paths       []string
}

func shortForms() []shortForm {
	return []shortForm{
		{"model", "checkpoint for captions and answers: demo, an imported name, a folder, or a Hub name in the Hugging Face cache", []string{"model.caption", "model.answer"}},
		{"device", "same as --model-device", []string{"model.device"}},
		{"precision", "same as --model-precision", []string{"model.precision"}},
		{"nats", "same as --nats-url", []string{"nats.url"}},
		{"http", "same as --http-listen", []string{"http.listen"}},
		{"credentials-file", "same as --nats-credentials-file", []string{"nats.credentials_file"}},
	}
}

// Flags adds to fs a flag for every key, the short forms, and --config (-c).
func Flags(fs *pflag.FlagSet) {
	fs.StringP(configFlag, "c", "", "configuration file")
	for _, s := range shortForms() {
		fs.Var(new(given), s.flag, s.usage)
	}
	for _, k := range keys() {
		v := given(k.text())
		f := fs.VarPF(&v, k.flag(), "", k.usage)
		if _, is := k.value.(bool); is {
			f.NoOptDefVal = "true"
		}
	}
}

// given is a flag's value as it was typed: Load reads it, with all others at once.
type given string

func (g *given) String() string { return string(*g) }

func (g *given) Set(text string) error {
	*g = given(text)
	return nil
}

func (*given) Type() string { return "value" }
