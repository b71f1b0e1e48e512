package redisstore

import (
	"crypto/sha1" //nolint:gosec // the name that EVALSHA gives a script, not a secret
	"embed"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
)

//go:embed lua/*.lua
var sources embed.FS

// script is a Lua script as a server caches it.
type script struct {
	name string
	text string
	sha  string
}

// scripts are the moves.
type scripts struct {
	begin, resend, sent, receipt, check, settle, cancel, lookup *script
	pending, checkPhone, sweep, acknowledge, unlock, forget     *script
	lock, mirrored, restore, take, release, refund              *script
	finish, clock, phone, count, start                          *script
}

// loadScripts puts every script together from its parts.
func loadScripts() (*scripts, error) {
	s, fill := &scripts{}, newFiller()
	one := []string{"base", "lib", "record"}
	for _, part := range []struct {
		to      **script
		name    string
		prelude []string
	}{
		{&s.begin, "begin", []string{"base", "lib"}},
		{&s.resend, "resend", []string{"base", "lib", "record", "deliveries"}},
		{&s.sent, "sent", []string{"base", "lib", "record", "deliveries"}},
		{&s.receipt, "receipt", []string{"base", "lib", "record", "deliveries"}},
		{&s.check, "check", []string{"base", "lib", "record", "shape"}},
		{&s.settle, "settle", one},
		{&s.cancel, "cancel", one},
		{&s.lookup, "lookup", one},
		{&s.pending, "pending", []string{"base", "lib"}},
		{&s.phone, "phone", []string{"base", "lib"}},
		{&s.count, "count", []string{"base", "lib", "shape"}},
		{&s.checkPhone, "checkphone", []string{"base", "lib", "shape"}},
		{&s.sweep, "sweep", []string{"base", "lib"}},
		{&s.acknowledge, "acknowledge", []string{"base"}},
		{&s.unlock, "unlock", []string{"base", "lib"}},
		{&s.forget, "forget", []string{"base", "lib"}},
		{&s.lock, "lock", []string{"base", "lib"}},
		{&s.mirrored, "mirrored", []string{"base", "lib"}},
		{&s.restore, "restore", []string{"base", "lib"}},
		{&s.take, "take", []string{"limits"}},
		{&s.release, "release", []string{"limits"}},
		{&s.refund, "refund", []string{"limits"}},
		{&s.finish, "finish", []string{"limits"}},
		{&s.clock, "clock", []string{"limits"}},
	} {
		built, err := fill.script(part.name, part.prelude)
		if err != nil {
			return nil, err
		}
		*part.to = built
	}
	var err error
	s.start, err = fill.start()
	return s, err
}

// all lists every script.
func (s *scripts) all() []*script {
	return []*script{
		s.begin, s.resend, s.sent, s.receipt, s.check, s.settle, s.cancel, s.lookup, s.pending, s.checkPhone, s.sweep,
		s.acknowledge, s.unlock, s.forget, s.lock, s.mirrored, s.restore, s.take, s.release, s.phone, s.refund, s.finish, s.clock, s.count, s.start,
	}
}

// filler makes scripts of their parts.
type filler struct {
	values        map[string]int64
	noise, number *regexp.Regexp
	parts         map[string]string
}

func newFiller() *filler {
	return &filler{
		values: constants(),
		noise:  regexp.MustCompile(`(?m)(^\s*--.*\n|\s+-- .*$|^\s+)`),
		number: regexp.MustCompile(`\b[A-Z][A-Z0-9_]{2,}\b`),
		parts:  map[string]string{},
	}
}

func (f *filler) script(name string, prelude []string) (*script, error) {
	text, err := f.text(append(prelude, name))
	if err != nil {
		return nil, err
	}
	return newScript(name, text), nil
}

func newScript(name, text string) *script {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // a name as well
	return &script{name: name, text: text, sha: hex.EncodeToString(sum[:])}
}

// start is the scripts take and begin, each as a function of its own keys and arguments, and start.
func (f *filler) start() (*script, error) {
	text := ""
	for _, part := range []struct {
		name  string
		parts []string
	}{{"take", []string{"limits", "take"}}, {"begin", []string{"base", "lib", "begin"}}} {
		body, err := f.text(part.parts)
		if err != nil {
			return nil, err
		}
		text += "local function " + part.name + "(KEYS, ARGV)\n" + body + "end\n"
	}
	body, err := f.part("start")
	if err != nil {
		return nil, err
	}
	return newScript("start", text+body), nil
}

// text is some files, one after the other.
func (f *filler) text(parts []string) (string, error) {
	text := ""
	for _, part := range parts {
		s, err := f.part(part)
		if err != nil {
			return "", err
		}
		text += s
	}
	return text, nil
}

// part reads one file, replaces the words in capitals by their numbers, and drops comments and indents: what is not
// sent need not be parsed.
func (f *filler) part(name string) (string, error) {
	if text, ok := f.parts[name]; ok {
		return text, nil
	}
	b, err := sources.ReadFile("lua/" + name + ".lua")
	if err != nil {
		return "", fmt.Errorf("reading the script %s: %w", name, err)
	}
	unknown := ""
	text := f.number.ReplaceAllStringFunc(f.noise.ReplaceAllString(string(b), ""), func(word string) string {
		if v, ok := f.values[word]; ok {
			return strconv.FormatInt(v, 10)
		}
		if !isLuaWord(word) {
			unknown = word
		}
		return word
	})
	if unknown != "" {
		return "", fmt.Errorf("preparing the script %s: the word %s has no value", name, unknown)
	}
	f.parts[name] = text
	return text, nil
}
