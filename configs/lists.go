package configs

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
)

// items takes a list out of a section. Each item is read by a loader of its own; what is
// wrong in it is told with its place. The error of read is about the item as a whole.
func (l *loader) items(m map[string]any, key, name string, read func(item *loader, value any) error) {
	list, given := m[key]
	delete(m, key)
	if !given {
		return
	}
	values, ok := list.([]any)
	switch {
	case list == nil:
		l.blame(key, noValue(name))
	case !ok:
		l.blame(key, fmt.Errorf("must be a list (in %s)", name))
	}
	for i, value := range values {
		item, at := newLoader(), fmt.Sprintf("%s[%d]", key, i)
		if err := read(item, value); err != nil {
			l.blame(at, fmt.Errorf("%w (in %s)", err, name))
		}
		for _, p := range item.problems {
			l.problem("%s.%w", at, p)
		}
	}
}

// fields reads a section of a list into c, which holds the defaults.
func (l *loader) fields(c any, value any, name string) error {
	m, ok := value.(map[string]any)
	if !ok {
		return errors.New("must be a section of keys")
	}
	l.section(m, "", name, known(keysOf(reflect.ValueOf(c).Elem(), "")))
	l.decode(c)
	return nil
}

func (l *loader) camera(value any, name string) (Camera, error) {
	c := DefaultCamera()
	var asked []string
	m, _ := value.(map[string]any)
	l.items(m, "masks", name, func(item *loader, value any) error {
		mask, err := item.mask(value, name)
		c.Masks = append(c.Masks, mask)
		return err
	})
	l.items(m, "questions", name, func(item *loader, value any) error {
		q, err := item.question(value, name)
		c.Questions, asked = append(c.Questions, q), append(asked, q.Name)
		return err
	})
	if err := l.fields(&c, value, name); err != nil {
		return Camera{}, err
	}
	if l.from["every"] == "" {
		c.Every = DefaultEvery(c.Window)
	}
	l.secret("password_file", &c.Password, c.PasswordFile)
	l.judge(c.problems())
	l.judge(unique("questions", asked))
	return c, nil
}

func (l *loader) question(value any, name string) (q Question, err error) {
	if err := l.fields(&q, value, name); err != nil {
		return q, err
	}
	l.judge(q.problems())
	return q, nil
}

// mask reads [x, y, w, h], or these as keys.
func (l *loader) mask(value any, name string) (m Mask, err error) {
	numbers, isList := value.([]any)
	if !isList {
		if err := l.fields(&m, value, name); err != nil {
			return m, errMask
		}
		if len(l.problems) > 0 {
			return m, nil
		}
		return m, m.check()
	}
	into := m.numbers()
	if len(numbers) != len(into) {
		return m, errMask
	}
	for i, n := range numbers {
		switch n := n.(type) {
		case int:
			*into[i] = float64(n)
		case float64:
			*into[i] = n
		default:
			return m, errMask
		}
	}
	return m, m.check()
}

var errMask = errors.New("must be [x, y, w, h] in parts of the picture")

// unique: a name is a subject, and whose events are whose.
func unique(list string, names []string) (ps problems) {
	first := map[string]int{}
	for i, name := range names {
		if j, taken := first[name]; taken && name != "" {
			ps = append(ps, problem{list + "[" + strconv.Itoa(i) + "].name", fmt.Errorf("%s[%d] is called %q, too", list, j, name)})
			continue
		}
		first[name] = i
	}
	return ps
}
