// Package yamlfile reads YAML files that people write, so that every mistake in one can be told with its place. What the
// nodes mean is for the packages whose files they are.
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Parse reads a file of one document and gives its body, nil for none. Its mistakes name the file, and where they can the
// line and the column. They do not quote the text: a secret may stand in it.
func Parse(name string, text []byte) (ast.Node, error) {
	if tooDeep(text) {
		return nil, fmt.Errorf("%s: lists or maps are nested more than %d deep", name, maxDepth)
	}
	file, err := parser.ParseBytes(bytes.TrimPrefix(text, []byte("\ufeff")), 0) // a byte order mark (YAML 1.2.2, 5.2)
	switch {
	case err != nil:
		return nil, notYAML(name, err)
	case len(file.Docs) > 1:
		return nil, fmt.Errorf("%s: expected one document, found %d", name, len(file.Docs))
	case len(file.Docs) == 0 || file.Docs[0].Body == nil:
		return nil, nil
	}
	return file.Docs[0].Body, nil
}

// Line is the line at which a node begins, Column its column. Both count from one.
func Line(n ast.Node) int { return n.GetToken().Position.Line }

// Column is the column of Line.
func Column(n ast.Node) int { return n.GetToken().Position.Column }

// notYAML says where a text stops to be YAML. The library's own words would quote the lines around the mistake.
func notYAML(name string, err error) error {
	var mistake yaml.Error
	if errors.As(err, &mistake) && mistake.GetToken() != nil {
		at := mistake.GetToken().Position
		return fmt.Errorf("%s:%d:%d: this is not YAML: %s", name, at.Line, at.Column, mistake.GetMessage())
	}
	return fmt.Errorf("%s: this is not YAML", name)
}

// maxDepth is how deep lists and maps may be nested on one line. The parser takes the square of it in memory, and no file of
// ours goes beyond four.
const maxDepth = 100

// tooDeep says whether a text opens more brackets than it closes, by too many, or begins too many lists in a row. What
// stands in quotes is counted too.
func tooDeep(text []byte) bool {
	depth, row := 0, 0
	for i, c := range text {
		switch {
		case c == '[', c == '{':
			depth++
		case c == ']', c == '}':
			depth = max(0, depth-1)
		case (c == '-' || c == '?') && i+1 < len(text) && text[i+1] == ' ':
			row++
		case c != ' ':
			row = 0
		}
		if depth > maxDepth || row > maxDepth {
			return true
		}
	}
	return false
}
