package pages

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var property = regexp.MustCompile(`(--[a-z-]+): #([0-9a-f]{6});`)

// palette is the colours of a piece of the style sheet, by property.
func palette(css string) map[string]uint64 {
	colours := map[string]uint64{}
	for _, m := range property.FindAllStringSubmatch(css, -1) {
		colours[m[1]], _ = strconv.ParseUint(m[2], 16, 32)
	}
	return colours
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(rgb uint64) float64 {
	channel := func(v uint64) float64 {
		c := float64(v&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(rgb>>16) + 0.7152*channel(rgb>>8) + 0.0722*channel(rgb)
}

func contrast(a, b uint64) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestContrast(t *testing.T) {
	light, rest, found := strings.Cut(sheet, "@media screen and (prefers-color-scheme: dark) {")
	if !found {
		t.Fatal("no dark palette")
	}
	dark, _, _ := strings.Cut(rest, "}\n}")
	if len(palette(light)) < 10 || len(palette(light)) != len(palette(dark)) {
		t.Fatalf("%d light and %d dark colours", len(palette(light)), len(palette(dark)))
	}
	const text, part = 4.5, 3.0 // WCAG 2.2, 1.4.3 and 1.4.11
	for _, scheme := range []struct {
		name    string
		colours map[string]uint64
	}{{"light", palette(light)}, {"dark", palette(dark)}} {
		for _, tt := range []struct {
			front, back string
			least       float64
		}{
			{"--ink", "--paper", text},
			{"--ink", "--card", text},
			{"--ink", "--tint", text},
			{"--quiet", "--paper", text},
			{"--quiet", "--card", text},
			{"--on-accent", "--accent", text},
			{"--on-accent", "--accent-strong", text},
			{"--edge", "--card", part},
			{"--accent", "--card", part},
			{"--accent-strong", "--card", part},
			{"--focus", "--card", part},
			{"--focus", "--paper", part},
			{"--accent", "--paper", part},
		} {
			t.Run(scheme.name+" "+tt.front+" on "+tt.back, func(t *testing.T) {
				front, ok := scheme.colours[tt.front]
				back, found := scheme.colours[tt.back]
				if !ok || !found {
					t.Fatal("not in the palette")
				}
				if got := contrast(front, back); got < tt.least {
					t.Errorf("%.2f:1, want at least %.1f:1", got, tt.least)
				}
			})
		}
	}
}

func TestContrastOfKnownColours(t *testing.T) {
	for _, tt := range []struct {
		a, b uint64
		want float64
	}{{0x000000, 0xffffff, 21}, {0x767676, 0xffffff, 4.54}, {0xffffff, 0xffffff, 1}} {
		if got := contrast(tt.a, tt.b); math.Abs(got-tt.want) > 0.005 {
			t.Errorf("contrast(%06x, %06x) = %.3f, want %.2f", tt.a, tt.b, got, tt.want)
		}
	}
}

// Physical sides would put borders and indents on the wrong side of a page that
// is read from right to left; colours outside the palette escape TestContrast.
func TestSheetKeepsItsRules(t *testing.T) {
	for name, pattern := range map[string]string{
		"physical side":   `(margin|padding|border|text-align)(-|: )(left|right)`,
		"fixed direction": `float:|[^-]left:|[^-]right:`,
		"something else":  `url\(|@import|expression|</`,
		"a literal hue":   `(background|fill|stroke|outline): ?#[0-9a-f]`,
		"no focus ring":   `outline: *(none|0)`,
	} {
		t.Run(name, func(t *testing.T) {
			if found := regexp.MustCompile(pattern).FindString(sheet); found != "" {
				t.Errorf("%q in the style sheet", found)
			}
		})
	}
	for _, query := range []string{"prefers-reduced-motion: reduce", "forced-colors: active", "@media print", "prefers-color-scheme: dark"} {
		if !strings.Contains(sheet, query) {
			t.Errorf("the style sheet has nothing for %q", query)
		}
	}
}
