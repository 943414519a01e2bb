package doctor

import (
	"fmt"
	"io"
	"slices"
)

// Verdict is what the doctor thinks of one thing that it looked at. The zero
// Verdict is no statement.
type Verdict string

// The verdicts. Only Wrong makes an examination fail.
const (
	Good    Verdict = "good"
	Wrong   Verdict = "wrong"
	Unknown Verdict = "unknown" // could not be looked at from here
)

// Finding is one thing that was looked at.
type Finding struct {
	Check   string  `json:"check"` // a stable name
	Verdict Verdict `json:"verdict"`
	Text    string  `json:"text"` // one line, in plain words, with what to do when it is wrong
}

// Report is what an examination found, in the order in which it looked.
type Report struct {
	URL      string    `json:"url"`
	Findings []Finding `json:"findings"`
	Requests int       `json:"requests"` // how many were sent
}

// Wrong is how many findings are wrong.
func (r Report) Wrong() int {
	n := 0
	for _, finding := range r.Findings {
		if finding.Verdict == Wrong {
			n++
		}
	}
	return n
}

// Has reports whether a check came to a verdict.
func (r Report) Has(check string, v Verdict) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Check == check && f.Verdict == v })
}

// WriteText writes one line for each finding. Signs are for a terminal; without
// them each line begins with a word.
func (r Report) WriteText(w io.Writer, signs bool) error {
	marks := map[Verdict]string{Good: "ok   ", Wrong: "WRONG", Unknown: "?    "}
	if signs {
		marks = map[Verdict]string{Good: "✓", Wrong: "✗", Unknown: "?"}
	}
	for _, finding := range r.Findings {
		if _, err := fmt.Fprintf(w, "%s %s\n", marks[finding.Verdict], finding.Text); err != nil {
			return err
		}
	}
	return nil
}

func (r *Report) add(check string, v Verdict, text string, args ...any) {
	r.Findings = append(r.Findings, Finding{check, v, fmt.Sprintf(text, args...)})
}
