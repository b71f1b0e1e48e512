package message

import (
	"strings"
	"sync"

	"golang.org/x/text/language"
)

// This file finds the nearest language. The library's matcher takes microseconds and allocates, and what clients ask
// for repeats, so answers are remembered.

const (
	maxLocale = 35  // RFC 5646, 4.4.1: the longest tag anybody needs to keep; longer ones get the fallback
	maxKnown  = 512 // answers that are remembered; a client that asks for thousands only empties the memory
)

// chooser picks one of a list of languages, of which the first is the fallback.
type chooser struct {
	matcher language.Matcher

	mu    sync.RWMutex
	known map[string]int
}

func newChooser(tags []language.Tag) *chooser {
	return &chooser{matcher: language.NewMatcher(tags), known: make(map[string]int)}
}

// choose is the index of the nearest language to a BCP 47 tag.
func (c *chooser) choose(locale string) int {
	if locale == "" || len(locale) > maxLocale {
		return 0
	}
	c.mu.RLock()
	i, ok := c.known[locale]
	c.mu.RUnlock()
	if ok {
		return i
	}
	if tag, err := language.Parse(locale); err == nil {
		_, i, _ = c.matcher.Match(tag)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxKnown {
		clear(c.known)
	}
	c.known[strings.Clone(locale)] = i // it may be a part of a whole request
	return i
}
