package main

import "strings"

// question is a check as a gateway sends it.
type question struct {
	endpoint string // "/auth/nginx"
	host     string // the server's; for Envoy the app's
	url      string // the original one; for Envoy it is in the endpoint
	cookie   string // "" for none
	bearer   string // "" for none
	script   bool   // a fetch and not a page load
}

// page is a page load as nginx passes it on: 17 headers with a cookie.
func page(url, cookie string) question {
	return question{endpoint: "/auth/nginx", host: "doorward", url: url, cookie: cookie}
}

// bytes is the question on the wire.
func (q question) bytes() []byte {
	var b strings.Builder
	b.WriteString("GET " + q.endpoint + " HTTP/1.1\r\n")
	header := func(name, value string) {
		if value != "" {
			b.WriteString(name + ": " + value + "\r\n")
		}
	}
	header("Host", q.host)
	if q.url != "" {
		header("X-Original-URL", q.url)
		header("X-Original-Method", "GET")
	}
	header("X-Forwarded-For", "203.0.113.7")
	header("sec-ch-ua", `"Chromium";v="142", "Not;A=Brand";v="24"`)
	header("sec-ch-ua-mobile", "?0")
	header("sec-ch-ua-platform", `"Linux"`)
	header("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36")
	if q.script {
		header("Accept", "application/json")
		header("Sec-Fetch-Mode", "cors")
		header("Sec-Fetch-Dest", "empty")
	} else {
		header("Upgrade-Insecure-Requests", "1")
		header("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8")
		header("Sec-Fetch-Mode", "navigate")
		header("Sec-Fetch-Dest", "document")
	}
	header("Sec-Fetch-Site", "same-origin")
	header("Referer", "https://app.bench.test/dashboards")
	header("Accept-Encoding", "gzip, deflate, br, zstd")
	header("Accept-Language", "en-GB,en;q=0.9,de;q=0.8")
	header("Cookie", q.cookie)
	if q.bearer != "" {
		header("Authorization", "Bearer "+q.bearer)
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}
