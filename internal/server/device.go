package server

import "strings"

// UnknownDevice is what a program is called that is not known.
const UnknownDevice = "Another program"

// Device is a User-Agent header in plain words, such as "Firefox on Windows". It
// is for people only: whoever sends the header may say anything.
func Device(agent string) string {
	if !strings.HasPrefix(agent, "Mozilla/") && !strings.HasPrefix(agent, "Opera/") {
		return tool(agent)
	}
	system := firstIn(agent, systems())
	browser := firstIn(agent, browsers())
	switch {
	case browser == "" && system == "":
		return UnknownDevice
	case browser == "":
		return UnknownDevice + " on " + system
	case system == "":
		return browser
	}
	return browser + " on " + system
}

// called is what a part of a header means.
type called struct{ part, name string }

// firstIn is the name of the first of parts that a header has, "" for none.
func firstIn(agent string, parts []called) string {
	for _, c := range parts {
		if strings.Contains(agent, c.part) {
			return c.name
		}
	}
	return ""
}

// browsers stand before those whose names they carry too.
func browsers() []called {
	return []called{
		{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"Edge/", "Edge"},
		{"OPR/", "Opera"}, {"OPT/", "Opera"}, {"Opera", "Opera"},
		{"SamsungBrowser/", "Samsung Internet"}, {"Vivaldi/", "Vivaldi"}, {"YaBrowser/", "Yandex Browser"},
		{"DuckDuckGo/", "DuckDuckGo"}, {"Ddg/", "DuckDuckGo"}, {"Brave/", "Brave"},
		{"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"},
		{"CriOS/", "Chrome"}, {"HeadlessChrome/", "Chrome"}, {"Chromium/", "Chromium"}, {"Chrome/", "Chrome"},
		{"MSIE ", "Internet Explorer"}, {"Trident/", "Internet Explorer"},
		{"Version/", "Safari"},
	}
}

// systems stand before those whose names they carry too.
func systems() []called {
	return []called{
		{"Windows Phone", "Windows Phone"}, {"Windows", "Windows"},
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"iPod", "iPod"},
		{"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Macintosh", "macOS"},
		{"FreeBSD", "FreeBSD"}, {"OpenBSD", "OpenBSD"}, {"Linux", "Linux"}, {"X11", "Linux"},
	}
}

// tool is the name of a program that says what it is at the beginning.
func tool(agent string) string {
	for _, c := range []called{
		{"curl/", "curl"}, {"Wget/", "Wget"}, {"HTTPie/", "HTTPie"}, {"PostmanRuntime/", "Postman"}, {"insomnia/", "Insomnia"},
		{"python-", "A Python program"}, {"Python/", "A Python program"}, {"Go-http-client/", "A Go program"},
		{"Java/", "A Java program"}, {"Apache-HttpClient/", "A Java program"}, {"okhttp/", "An app on Android"}, {"git/", "git"},
	} {
		if strings.HasPrefix(agent, c.part) {
			return c.name
		}
	}
	return UnknownDevice
}
