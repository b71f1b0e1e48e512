package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"countersign/yamlfile"
)

// file flattens a YAML document into paths. Anchors, aliases, tags and merge keys are refused: what stands in the file
// is what is meant.
func (l *loader) file(name string, text []byte) []error {
	body, err := yamlfile.Parse(name, text)
	if err != nil {
		return []error{err}
	}
	if body == nil {
		return nil
	}
	f := &flattener{loader: l, name: name}
	f.walk("", body)
	return f.mistakes
}

type flattener struct {
	*loader
	name     string
	mistakes []error
}

func (f *flattener) bad(n ast.Node, format string, args ...any) {
	f.mistakes = append(f.mistakes, fmt.Errorf("%s:%d: %s", f.name, yamlfile.Line(n), fmt.Sprintf(format, args...)))
}

func (f *flattener) walk(path string, n ast.Node) {
	if f.empty(path, n) {
		return
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			f.walk(path, v)
		}
	case *ast.MappingValueNode:
		key := n.Key.GetToken().Value
		if _, ok := n.Key.(*ast.MergeKeyNode); ok {
			f.bad(n.Key, "merge keys are not taken")
			return
		}
		f.walk(strings.TrimPrefix(path+"."+key, "."), n.Value)
	case *ast.SequenceNode:
		list := make([]string, 0, len(n.Values))
		for _, v := range n.Values {
			text, ok := item(v)
			if !ok {
				f.bad(v, "%s: expected plain values in this list", path)
				return
			}
			list = append(list, text)
		}
		f.leaf(path, n, list)
	default:
		text, ok := scalar(n)
		if !ok {
			f.bad(n, "%s: expected a value", path)
			return
		}
		f.leaf(path, n, []string{text})
	}
}

// empty takes an app of which the file says nothing but that it exists: its name is then its id.
func (f *flattener) empty(path string, n ast.Node) bool {
	id, ok := strings.CutPrefix(path, "apps.")
	if !ok || strings.Contains(id, ".") {
		return false
	}
	if m, isMap := n.(*ast.MappingNode); isMap && len(m.Values) > 0 {
		return false
	}
	switch n.(type) {
	case *ast.MappingNode, *ast.NullNode:
		f.leaf(path+".name", n, []string{id})
		return true
	}
	return false
}

// leaf keeps a value whose path is a setting's. The line is remembered for messages about it.
func (f *flattener) leaf(path string, n ast.Node, list []string) {
	if path == "" {
		f.bad(n, "expected settings such as `listen: 127.0.0.1:8080`")
		return
	}
	if _, _, ok := f.find(path); !ok {
		f.bad(n, "%s is not a setting%s", path, f.nearest(path, func(s Setting) string { return s.Path }))
		return
	}
	f.values[path] = value{list, fmt.Sprintf("%s:%d", f.name, yamlfile.Line(n))}
}

// item reads an entry of a list. In [env:A] the library takes a colon for a pair's although no space follows it; YAML
// 1.2.2, 7.3.3, does not.
func item(n ast.Node) (string, bool) {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) == 1 {
		n = m.Values[0]
	}
	pair, ok := n.(*ast.MappingValueNode)
	if !ok {
		return scalar(n)
	}
	key, keyOK := scalar(pair.Key)
	value, valueOK := scalar(pair.Value)
	glued := yamlfile.Column(pair.Value) == yamlfile.Column(pair)+1
	return key + ":" + value, keyOK && valueOK && glued
}

func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	case *ast.NullNode:
		return "", true
	}
	return "", false
}

// nearest suggests the setting that was probably meant.
func (l *loader) nearest(name string, spell func(Setting) string) string {
	own := bareName(name)
	best, bestCost := "", min(4, (len(own)+1)/2) // of a short name, most others are a few letters away
	for _, s := range l.table {
		candidate := spell(s)
		if candidate == "" {
			continue
		}
		if c := distance(own, bareName(candidate)); c < bestCost {
			best, bestCost = candidate, c
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// bareName is a variable without what all variables begin with, or the last part of a path.
func bareName(s string) string {
	s = strings.TrimPrefix(s, "COUNTERSIGN_")
	return s[strings.LastIndexByte(s, '.')+1:]
}

// distance is Levenshtein's, on bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = slices.Min([]int{cost, row[j] + 1, row[j+1] + 1})
		}
	}
	return row[len(b)]
}
