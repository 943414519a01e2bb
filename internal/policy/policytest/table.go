// Package policytest reads the table of rule cases that the tests of rules, of
// `doorward explain` and of real gateways share. The file says how it is written.
package policytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Table is the whole file.
type Table struct {
	Users map[string]User
	Skips map[string]Skip
	Cases []Case
}

// User is somebody, as a provider describes them.
type User struct {
	Name     string
	Claims   map[string]any // with the subject, which is Name
	Age      time.Duration  // of the login
	NoTime   bool           // the provider does not say when the login was
	Provider string         // "" is the configured one
}

// Skip says why cases are not asked at some gateways.
type Skip struct {
	Name     string
	Gateways []string
	Why      string
}

// Answered reports whether the gateway answers such a case by itself, with 400.
func (s Skip) Answered() bool { return strings.HasPrefix(s.Name, "400") }

// Case is one request of somebody, and what comes of it.
type Case struct {
	Line  int
	Group string

	User   string // "" is nobody
	Method string
	Host   string // as the client sends it, with a port perhaps
	Target string // the raw path, and the query with its question mark

	Client    string // "" is unknown
	Origin    string // "" is none
	Preflight bool
	Script    bool // a fetch and no person who opens a page

	Answer string // pass, login, 401 or 403
	Reason string
	Rule   string // "" is none
	Skips  []string
}

// Verdict is the word for the answer in logs and metrics.
func (c Case) Verdict() string {
	switch c.Answer {
	case "pass":
		return "allow"
	case "login", "401":
		return "sign_in"
	default:
		return "deny"
	}
}

func (c Case) String() string {
	who := c.User
	if who == "" {
		who = "nobody"
	}
	return fmt.Sprintf("line %d: %s, %s %s%s", c.Line, who, c.Method, c.Host, c.Target)
}

// Skipped returns why the case is not asked at a gateway; nil when it is.
func (t *Table) Skipped(c Case, gateway string) *Skip {
	for _, name := range c.Skips {
		if skip := t.Skips[name]; slices.Contains(skip.Gateways, gateway) {
			return &skip
		}
	}
	return nil
}

// Read reads a file. The error names every line that is not understood.
func Read(file string) (*Table, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	t := &Table{Users: map[string]User{}, Skips: map[string]Skip{}}
	var mistakes []error
	group := ""
	for i, line := range strings.Split(string(text), "\n") {
		columns := columnsOf(line)
		switch word, rest, _ := strings.Cut(line, " "); {
		case line == "" || strings.HasPrefix(line, "#"):
			continue
		case word == "==":
			group = rest
			continue
		case word == "user":
			err = t.user(rest)
		case word == "skip":
			err = t.skip(columnsOf(rest))
		default:
			err = t.add(i+1, group, columns)
		}
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s:%d: %w", file, i+1, err))
		}
	}
	return t, errors.Join(mistakes...)
}

var gap = regexp.MustCompile(` {2,}`)

func columnsOf(line string) []string { return gap.Split(strings.TrimSpace(line), -1) }

func (t *Table) user(line string) error {
	name, text, _ := strings.Cut(line, " ")
	u := User{Name: name}
	if err := json.Unmarshal([]byte(text), &u.Claims); err != nil {
		return err
	}
	if _, twice := t.Users[name]; twice || name == "-" {
		return fmt.Errorf("there is a user %s already", name)
	}
	u.Claims["sub"] = name
	u.Provider, _ = u.Claims["provider"].(string)
	delete(u.Claims, "provider")
	since, _ := u.Claims["signed_in"].(string)
	delete(u.Claims, "signed_in")
	var err error
	switch since {
	case "":
	case "never":
		u.NoTime = true
	default:
		u.Age, err = time.ParseDuration(since)
	}
	t.Users[name] = u
	return err
}

func (t *Table) skip(columns []string) error {
	if len(columns) != 3 {
		return errors.New("a skip has a name, gateways and a reason")
	}
	t.Skips[columns[0]] = Skip{columns[0], strings.Split(columns[1], ","), columns[2]}
	return nil
}

func (t *Table) add(line int, group string, columns []string) error {
	if len(columns) < 7 || len(columns) > 8 {
		return fmt.Errorf("a case has 7 or 8 columns and not %d", len(columns))
	}
	c := Case{
		Line: line, Group: group, User: given(columns[0]), Method: columns[1], Client: "127.0.0.2",
		Answer: columns[4], Reason: columns[5], Rule: given(columns[6]),
	}
	slash := strings.IndexByte(columns[2], '/')
	if slash < 1 {
		return errors.New("the address has no host or no path")
	}
	c.Host, c.Target = columns[2][:slash], columns[2][slash:]
	if err := c.how(columns[3]); err != nil {
		return err
	}
	if len(columns) == 8 {
		c.Skips = strings.Split(columns[7], ",")
	}
	for _, name := range c.Skips {
		if _, known := t.Skips[name]; !known {
			return fmt.Errorf("there is no skip %s", name)
		}
	}
	if _, known := t.Users[c.User]; !known && c.User != "" {
		return fmt.Errorf("there is no user %s", c.User)
	}
	if !slices.Contains([]string{"pass", "login", "401", "403"}, c.Answer) {
		return fmt.Errorf("%s is no answer", c.Answer)
	}
	t.Cases = append(t.Cases, c)
	return nil
}

func (c *Case) how(text string) error {
	if text == "-" {
		return nil
	}
	for word := range strings.SplitSeq(text, ",") {
		switch name, value, _ := strings.Cut(word, "="); name {
		case "script":
			c.Script = true
		case "from":
			c.Client = given(value)
		case "origin":
			c.Origin, c.Script = value, true
		case "preflight":
			c.Origin, c.Script, c.Preflight = value, true, true
		default:
			return fmt.Errorf("%s says nothing about a request", word)
		}
	}
	return nil
}

func given(column string) string {
	if column == "-" {
		return ""
	}
	return column
}
