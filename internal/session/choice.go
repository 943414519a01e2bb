package session

import (
	"net/http"
	"time"
)

// choiceLifetime is how long the provider of the last login is remembered.
const choiceLifetime = 365 * 24 * time.Hour

// choice is the name of the cookie that holds the name of a provider. It is not
// sealed: all that a forged one does is to change the order of a page.
func (f *Flows) choice() string { return cookiePrefix(f.Insecure, "") + f.Name + "_provider" }

// Remember keeps the name of the provider of a login for the next one.
func (f *Flows) Remember(w http.ResponseWriter, provider string) {
	http.SetCookie(w, f.make(f.choice(), provider, int(choiceLifetime/time.Second)))
}

// Remembered reports whether the browser's last login was at provider.
func (f *Flows) Remembered(r *http.Request, provider string) bool {
	for _, line := range r.Header["Cookie"] {
		for value := range values(line, f.choice()) {
			return value == provider // the first one is as good as any
		}
	}
	return false
}
