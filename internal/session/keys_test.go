package session

import (
	"strings"
	"testing"
)

func TestNewKeyring(t *testing.T) {
	for _, tt := range []struct {
		name    string
		secrets [][]byte
		ok      bool
	}{
		{"KEY-1 one", [][]byte{secretOf('a')}, true},
		{"KEY-1 two", [][]byte{secretOf('a'), secretOf('b')}, true},
		{"KEY-1 none", nil, false},
		{"KEY-1 31 bytes", [][]byte{secretOf('a')[:31]}, false},
		{"KEY-1 33 bytes", [][]byte{append(secretOf('a'), 'a')}, false},
		{"KEY-1 base64 text taken as raw", [][]byte{[]byte("YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=")}, false},
		{"KEY-1 the second is short", [][]byte{secretOf('a'), {}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewKeyring(tt.secrets)
			if (err == nil) != tt.ok {
				t.Errorf("error %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "aaaa") {
				t.Errorf("LOG-2: the error tells the secret: %v", err)
			}
		})
	}
}

func TestSeal(t *testing.T) {
	ring := func(purpose string, secrets ...[]byte) *sealer {
		s, err := keyring(t, secrets...).sealer(purpose)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, b := secretOf('a'), secretOf('b')
	value := ring("session", a).seal([]byte("text"), "name scope")
	for _, tt := range []struct {
		name    string
		sealer  *sealer
		binding string
		ok      bool
	}{
		{"KEY-1 the same", ring("session", a), "name scope", true},
		{"KEY-1 second of the ring", ring("session", b, a), "name scope", true},
		{"COOK-2 another purpose", ring("flow", a), "name scope", false},
		{"COOK-2 another binding", ring("session", a), "name other", false},
		{"COOK-2 no binding", ring("session", a), "", false},
		{"KEY-1 another secret", ring("session", b), "name scope", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, ok := tt.sealer.open(value, tt.binding)
			if ok != tt.ok || ok && string(text) != "text" {
				t.Errorf("opened %q, %v", text, ok)
			}
		})
	}
	s := ring("session", a)
	if once, again := s.seal([]byte("text"), ""), s.seal([]byte("text"), ""); once == again {
		t.Error("KEY-1: two seals of one text are equal: the nonce is not random")
	}
}
