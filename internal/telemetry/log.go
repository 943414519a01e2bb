// Package telemetry is how Doorward reports on itself: the log and the metrics.
package telemetry

import (
	"io"
	"log/slog"
	"strings"
	"unicode/utf8"
)

// maxField is how many bytes of a text a log line carries.
const maxField = 1024

// NewLog returns a structured log that writes to w in "json" or "text". Control
// characters are escaped and long texts cut, so that nothing a client sends can
// forge or flood a line.
func NewLog(w io.Writer, level slog.Level, format string) *slog.Logger {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: cut}
	if format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

func cut(_ []string, a slog.Attr) slog.Attr {
	text := ""
	switch value := a.Value.Any().(type) {
	case string:
		text = value
	case error:
		text = value.Error()
	default:
		return a
	}
	if len(text) > maxField {
		end := maxField
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end] + "…"
	}
	a.Value = slog.StringValue(strings.ToValidUTF8(text, "\uFFFD"))
	return a
}
