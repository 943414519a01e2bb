// Package pages holds what a person sees of Doorward: a few quiet HTML pages
// with one style sheet, no script and nothing loaded from anywhere.
//
// Every field that reaches a page is escaped for its place. Addresses of other
// schemes than http, https and mailto become harmless, but whether an address is
// ours to link to is for the caller to have decided.
package pages

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed templates/*.html
var sources embed.FS

//go:embed style.css
var sheet string

// Set is every page, parsed once. It is safe for concurrent use.
type Set struct {
	signIn         *template.Template
	account        *template.Template
	sessions       *template.Template
	signedOut      *template.Template
	confirmSignOut *template.Template
	notAllowed     *template.Template
	problem        *template.Template
}

// New parses the pages. It fails only when a template is broken, which the tests
// of this package would have shown.
func New() (*Set, error) {
	style := func() template.CSS { return template.CSS(sheet) }
	layout, err := template.New("layout.html").
		Funcs(template.FuncMap{"style": style}).
		ParseFS(sources, "templates/layout.html")
	if err != nil {
		return nil, fmt.Errorf("pages: parsing the layout: %w", err)
	}
	s := new(Set)
	for name, page := range map[string]**template.Template{
		"sign_in.html":          &s.signIn,
		"account.html":          &s.account,
		"sessions.html":         &s.sessions,
		"signed_out.html":       &s.signedOut,
		"confirm_sign_out.html": &s.confirmSignOut,
		"not_allowed.html":      &s.notAllowed,
		"problem.html":          &s.problem,
	} {
		if *page, err = within(layout, name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// within is the layout with the parts of one page filled in.
func within(layout *template.Template, name string) (*template.Template, error) {
	page, err := layout.Clone()
	if err == nil {
		page, err = page.ParseFS(sources, "templates/"+name)
	}
	if err != nil {
		return nil, fmt.Errorf("pages: parsing %s: %w", name, err)
	}
	return page, nil
}

// write sends a page in one piece, so that a failing template never leaves half
// of one behind.
func write(w io.Writer, page *template.Template, data any) error {
	var b bytes.Buffer
	if err := page.Execute(&b, data); err != nil {
		return fmt.Errorf("pages: rendering: %w", err)
	}
	if _, err := b.WriteTo(w); err != nil {
		return fmt.Errorf("pages: writing: %w", err)
	}
	return nil
}
