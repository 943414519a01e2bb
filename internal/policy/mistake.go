package policy

import (
	"fmt"
	"reflect"
	"strings"

	"cel.dev/cel-go/cel"
)

// Mistake is what is wrong with an expression, and where: Line and Column count
// from 1.
type Mistake struct {
	Line, Column int
	Problem      string
}

func (m *Mistake) Error() string {
	return fmt.Sprintf("policy: condition: %d:%d: %s", m.Line, m.Column, m.Problem)
}

// firstMistake is the first of CEL's issues. Others are often only its echo.
func firstMistake(issues *cel.Issues) error {
	first := issues.Errors()[0]
	problem, _, _ := strings.Cut(first.Message, "\n")
	m := &Mistake{Line: first.Location.Line(), Column: max(1, first.Location.Column()+1), Problem: problem}
	switch {
	case strings.HasPrefix(problem, "undeclared reference"):
		m.Problem += "; an expression sees request, user and claims, and texts stand in quotes"
	case strings.HasPrefix(problem, "undefined field"):
		m.Problem += fmt.Sprintf("; request has %s, and user has %s", fields[conditionRequest](), fields[conditionUser]())
	}
	return m
}

// fields are the names of a struct as an expression writes them.
func fields[T any]() string {
	var names []string
	for i := range reflect.TypeFor[T]().NumField() {
		names = append(names, reflect.TypeFor[T]().Field(i).Tag.Get("cel"))
	}
	return strings.Join(names, ", ")
}
