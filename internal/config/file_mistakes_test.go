package config_test

import (
	"fmt"
	"strings"
	"testing"
)

// one and its kin are the beginnings of files; what follows them is in line 4.
const (
	one    = "rules:\n- name: one\n  allow: any\n  "
	shut   = "rules:\n- name: one\n  deny: true\n  "
	open   = "rules:\n- name: one\n  public: true\n  "
	allow  = "rules:\n- name: one\n  allow:\n    "
	jwt    = "rules: [{allow: any}]\ntokens:\n- issuer_url: https://id.test\n  "
	probe  = "rules: [{allow: any}]\ntokens:\n- introspection_url: https://id.test\n  "
	idp    = "rules: [{allow: any}]\nproviders:\n- issuer_url: https://id.test\n  client_id: x\n  "
	entra  = "rules: [{allow: any}]\nproviders:\n- type: entra\n  client_id: x\n  tenants: [11111111-aaaa-4aaa-8aaa-111111111111]\n  "
	google = "rules: [{allow: any}]\nproviders:\n- type: google\n  client_id: x\n  "
	head   = "rules: [{allow: any}]\nheaders:\n  "
)

type fileMistake struct {
	name    string
	content string
	want    string // "line:column: and how the message begins"
}

// TestFileMistakes wants exactly one mistake of each file, at its line and column.
func TestFileMistakes(t *testing.T) {
	for _, table := range [][]fileMistake{syntaxMistakes, keyMistakes, ruleMistakes, conditionMistakes, tokenMistakes, headerMistakes} {
		for _, tt := range table {
			t.Run(tt.name, func(t *testing.T) { wantMistake(t, tt, nil) })
		}
	}
	for _, tt := range providerMistakes {
		t.Run(tt.name, func(t *testing.T) { wantMistake(t, tt, inFile) })
	}
}

func wantMistake(t *testing.T, tt fileMistake, changes env) {
	t.Helper()
	cfg, _, found := loadFile(t, tt.content, changes)
	if cfg != nil || len(found) != 1 || !strings.HasPrefix(found[0], "doorward.yaml:"+tt.want) {
		t.Errorf("mistakes:\n%s\nwant one: doorward.yaml:%s…", strings.Join(found, "\n"), tt.want)
	}
	if strings.ContainsAny(strings.Join(found, ""), "\n\t") || strings.Contains(strings.Join(found, ""), "%!") {
		t.Errorf("a mistake is longer than a line, or badly formed: %q", found)
	}
}

var syntaxMistakes = []fileMistake{
	{"CFG-1 empty file", "", " is empty; write at least the rules, or unset DOORWARD_CONFIG_FILE"},
	{"CFG-1 nothing but comments", "# rules\n\n", " is empty"},
	{"CFG-1 null", "---\nnull\n", " is empty"},
	{"CFG-1 text", "rules\n", "1:1: has to be a mapping and is text"},
	{"CFG-1 list", "- rules\n", "1:1: has to be a mapping and is a list"},
	{"CFG-1 empty mapping", "{}\n", "1:1: is an empty mapping"},
	{"CFG-1 tab", "rules:\n\t- allow: any\n", "2:1: is no YAML"},
	{"CFG-1 two colons", "rules: a: b\n", "1:8: is no YAML: mapping value is not allowed in this context"},
	{"CFG-1 open bracket", "rules: [\n", "1:8: is no YAML"},
	{"CFG-1 open quote", "rules: \"\n", "1:8: is no YAML"},
	{"CFG-1 two documents", "rules: [{allow: any}]\n---\nrules: [{allow: any}]\n", "2:1: begins a second document; keep one"},
	{"CFG-1 not UTF-8", "rules: \xff\n", "1:8: is no text in UTF-8, or a control character; remove it"},
	{"CFG-1 NUL", "rules:\n- name: ü\x00\n", "2:10: is no text in UTF-8"},
	{"CFG-1 directive", "%YAML 1.1\n---\nrules: [{allow: any}]\n", "1:1: is a directive; remove it"},
	{"CFG-1 tag", "rules: !!seq [{allow: any}]\n", "1:8: is a tag; remove it"},
	{"CFG-1 key behind a question mark", "? rules\n: [{allow: any}]\n", "1:1: begins a key that is no plain text"},
	{"CFG-1 merge", "rules:\n- &a {allow: any}\n- <<: *a\n", "3:3: merges a mapping, which is not part of YAML 1.2; write its keys out"},
	{"CFG-1 alias before its anchor", "rules:\n- allow: *a\n- allow: &a any\n", "2:10: names an anchor that does not stand before it"},
	{"CFG-1 alias inside its anchor", "rules: &a\n- *a\n", "2:3: names an anchor that does not stand before it"},
	{"LIM deep brackets", "rules: " + strings.Repeat("[", 40) + "\n", "1:40: is nested too deeply"},
	{"LIM deep dashes", strings.Repeat("- ", 300) + "\n", "1:401: is nested too deeply"},
	{"LIM many keys", head + manyKeys(1001), "1003:9: is in a mapping with too many keys"},
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "X-%03d: email\n  ", i)
	}
	return b.String()
}

var keyMistakes = []fileMistake{
	{"CFG-1 key of the top", "rulez: [{allow: any}]\nrules: [{allow: any}]\n", "1:1: unknown key `rulez`; did you mean `rules`?"},
	{"CFG-1 key far from all", one + "frobnicate: 1", "4:3: rule \"one\": unknown key `frobnicate`; known here are name, hosts, paths,"},
	{"CFG-1 plural", one + "host: [a.example.com]", "4:3: rule \"one\": unknown key `host`; did you mean `hosts`?"},
	{"CFG-1 dash for underscore", one + "max-age: 1h", "4:3: rule \"one\": unknown key `max-age`; did you mean `max_age`?"},
	{"CFG-1 capital", one + "Hosts: [a.example.com]", "4:3: rule \"one\": unknown key `Hosts`; did you mean `hosts`?"},
	{"CFG-1 letters swapped", allow + "emial_domains: [example.com]", "4:5: rule \"one\": unknown key `emial_domains`; did you mean `email_domains`?"},
	{"CFG-1 last part of a key", allow + "domains: [example.com]", "4:5: rule \"one\": unknown key `domains`; did you mean `email_domains`?"},
	{"CFG-1 one level too high", one + "groups: [sre]", "4:3: rule \"one\": unknown key `groups`; it belongs below `allow`"},
	{"CFG-1 origins one level too high", one + "origins: [https://a.test]", "4:3: rule \"one\": unknown key `origins`; it belongs below `cors`"},
	{"CFG-1 any is a word", allow + "any: true", "4:5: rule \"one\": unknown key `any`; known here are emails"},
	{"CFG-1 key of cors", one + "cors: {origin: [https://a.test]}\n  shadow: false", "4:10: rule \"one\": unknown key `origin`; did you mean `origins`?"},
	{"CFG-1 key of a token", jwt + "audience: [x]\n  audiences: [x]", "4:3: token 1: unknown key `audience`; did you mean `audiences`?"},
	{"CFG-1 key of a rule without a name", "rules:\n- allow: any\n- deny: true\n  path: [/a]\n", "4:3: rule 2: unknown key `path`; did you mean `paths`?"},
	{"CFG-1 twice", one + "name: two", "4:3: rule \"one\": key `name` is there already, on line 2; keep one of them"},
	{"CFG-1 twice at the top", one + "\nrules: [{deny: true}]", "5:1: key `rules` is there already, on line 1"},
	{"CFG-1 twice in brackets", "rules: [{allow: any, allow: any}]\n", "1:22: rule 1: key `allow` is there already, on line 1"},
	{"CFG-1 key that is a number", one + "1: x", "4:3: rule \"one\": has a key that is no plain text; put it into quotes"},
	{"CFG-1 key that is true", one + "true: x", "4:3: rule \"one\": has a key that is no plain text"},
	{"CFG-1 no value", one + "hosts:", "4:3: rule \"one\": `hosts` is empty; write a value, or leave the key out"},
	{"CFG-1 null at the top", "rules: [{allow: any}]\ntokens: ~\n", "2:1: `tokens` is empty; write a value, or leave the key out"},
	{"CFG-1 empty list", one + "hosts: []", "4:10: rule \"one\": `hosts` is an empty list; write what belongs into it, or leave the key out"},
	{"CFG-1 empty list of rules", "rules: []\n", "1:8: `rules` is an empty list"},
	{"CFG-1 empty text", one + "title: ''", "4:10: rule \"one\": `title` is empty; write a value, or leave it out"},
	{"CFG-1 text for a list", one + "hosts: a.example.com", "4:10: rule \"one\": `hosts` has to be a list and is text; write it in brackets or behind a dash"},
	{"CFG-1 mapping for a list", "rules: {allow: any}\n", "1:8: `rules` has to be a list and is a mapping"},
	{"CFG-1 list for a text", one + "title: [x]", "4:10: rule \"one\": `title` has to be text and is a list"},
	{"CFG-1 list in a list", one + "hosts: [[a.example.com]]", "4:11: rule \"one\": `hosts` entry 1 has to be text and is a list"},
	{"CFG-1 number for a text", one + "acr: [a, 2]", "4:12: rule \"one\": `acr` entry 2 has to be text; put it into quotes"},
	{"CFG-1 nothing in a list", one + "acr: [a, ~]", "4:12: rule \"one\": `acr` entry 2 is empty"},
	{"CFG-1 text for a flag", one + "redirect: no", "4:13: rule \"one\": `redirect` has to be true or false"},
	{"CFG-1 rule that is text", "rules: [allow]\n", "1:9: rule 1: has to be a mapping and is text"},
	{"CFG-1 rule that is nothing", "rules:\n-\n", "2:3: `rules` entry 1 is empty"},
	{"CFG-1 headers as a list", "rules: [{allow: any}]\nheaders: [X-Team]\n", "2:10: `headers` has to be a mapping and is a list"},
}

var ruleMistakes = []fileMistake{
	{"CFG-1 no verdict", "rules:\n- name: one\n  hosts: [a.example.com]\n", "2:3: rule \"one\": has none of public, allow and deny"},
	{"CFG-1 two verdicts", one + "deny: true", "4:9: rule \"one\": `deny` is one too many"},
	{"CFG-1 public and allow", one + "public: true", "4:11: rule \"one\": `public` is one too many; a rule has exactly one of public, allow and deny"},
	{"CFG-1 not public", "rules:\n- public: false\n", "2:11: rule 1: `public` has to be true; a rule that is not so leaves it out"},
	{"CFG-1 not denied", "rules:\n- deny: false\n", "2:9: rule 1: `deny` has to be true"},
	{"CFG-1 allow another word", "rules:\n- allow: everybody\n", "2:10: rule 1: `allow` has to be any, or a mapping of conditions"},
	{"CFG-1 allow true", "rules:\n- allow: true\n", "2:10: rule 1: `allow` has to be a mapping and is true or false"},
	{"CFG-1 allow a list", "rules:\n- allow: [sre]\n", "2:10: rule 1: `allow` has to be a mapping and is a list"},
	{"CFG-1 allow nothing", "rules:\n- allow: {}\n", "2:10: rule 1: `allow` is an empty mapping"},
	{"CFG-1 no rules", "headers: {X-Team: email}\n", " has no `rules`, and none of DOORWARD_ALLOW* is set, so that nobody could pass"},
	{"CFG-1 all rules are shadow", one + "shadow: true", "2:1: `rules` are all shadow, and none of DOORWARD_ALLOW* is set"},
	{"CFG-1 name twice", one + "\n- name: one\n  deny: true", "5:9: rule \"one\": `name` is named as the rule on line 2 is; give each a name of its own"},
	{"CFG-1 name of a rule without one", "rules:\n- name: rule 2\n  allow: any\n- deny: true\n", "4:3: rule 2: is named as the rule on line 2 is"},
	{"CFG-1 long name", "rules:\n- name: " + strings.Repeat("x", 101) + "\n  allow: any\n", "2:9: rule \"" + strings.Repeat("x", 60) + "…\": `name` is longer than a line of 100 bytes"},
	{"CFG-1 deny with a title", shut + "title: x", "4:10: rule \"one\": `title` has no effect in a rule that denies; remove it"},
	{"CFG-1 deny with step-up", shut + "acr: [mfa]", "4:8: rule \"one\": `acr` has no effect in a rule that denies"},
	{"CFG-1 public with step-up", open + "max_age: 1h", "4:12: rule \"one\": `max_age` has no effect in a public rule; remove it"},
	{"CFG-1 public without redirect", open + "redirect: false", "4:13: rule \"one\": `redirect` has no effect in a public rule"},
	{"CFG-1 public with a provider", open + "provider: oidc", "4:13: rule \"one\": `provider` has no effect in a public rule"},
	{"CFG-1 public with cors", open + "cors: {origins: [https://a.test]}", "4:9: rule \"one\": `cors` has no effect in a public rule"},

	{"PATH-4 host with a capital", one + "hosts: [A.example.com]", "4:11: rule \"one\": `hosts` entry 1 has capital letters; write it in lower case"},
	{"PATH-4 host with a port", one + "hosts: [a.example.com, 'b.example.com:8443']", "4:26: rule \"one\": `hosts` entry 2 has a port"},
	{"PATH-4 host with a final dot", one + "hosts: [a.example.com.]", "4:11: rule \"one\": `hosts` entry 1 ends with a dot"},
	{"PATH-4 host with a leading dot", one + "hosts: [.example.com]", "4:11: rule \"one\": `hosts` entry 1 begins with a dot; write *."},
	{"PATH-4 host is an address", one + "hosts: ['https://a.example.com']", "4:11: rule \"one\": `hosts` entry 1 is an address and not a host"},
	{"PATH-4 host with a path", one + "hosts: [a.example.com/x]", "4:11: rule \"one\": `hosts` entry 1 has a path; write it into `paths`"},
	{"PATH-4 host beyond ASCII", one + "hosts: [bücher.example.com]", "4:11: rule \"one\": `hosts` entry 1 has letters beyond ASCII; write the xn-- form"},
	{"PATH-4 star alone", one + "hosts: ['*']", "4:11: rule \"one\": `hosts` entry 1 is *; leave `hosts` out for every host"},
	{"PATH-4 star inside", one + "hosts: [a.*.example.com]", "4:11: rule \"one\": `hosts` entry 1 has a * inside"},
	{"PATH-4 star before letters", one + "hosts: ['*a.example.com']", "4:11: rule \"one\": `hosts` entry 1 has a * inside"},
	{"PATH-4 star over an address", one + "hosts: ['*.127.0.0.1']", "4:11: rule \"one\": `hosts` entry 1 is a wildcard over an IP address"},
	{"PATH-4 empty label", one + "hosts: [a..example.com]", "4:11: rule \"one\": `hosts` entry 1 is not a host name"},

	{"PATH-2 path without a slash", one + "paths: [static/**]", "4:11: rule \"one\": `paths` entry 1 has to begin with a slash"},
	{"PATH-2 empty segment", one + "paths: [/a//b]", "4:11: rule \"one\": `paths` entry 1 has an empty segment"},
	{"PATH-2 dot segment", one + "paths: [/a/../b]", "4:11: rule \"one\": `paths` entry 1 has a dot segment"},
	{"PATH-2 dot segment at the end", one + "paths: [/a/.]", "4:11: rule \"one\": `paths` entry 1 has a dot segment"},
	{"PATH-1 query", one + "paths: [/a?b=c]", "4:11: rule \"one\": `paths` entry 1 has a query or a fragment"},
	{"PATH-2 fragment", one + "paths: ['/a#b']", "4:11: rule \"one\": `paths` entry 1 has a query or a fragment"},
	{"PATH-2 space", one + "paths: [/a b]", "4:11: rule \"one\": `paths` entry 1 has a space"},
	{"PATH-2 backslash", one + `paths: [/a\b]`, "4:11: rule \"one\": `paths` entry 1 has a space, a \\"},
	{"PATH-2 parameter", one + "paths: [/a;b]", "4:11: rule \"one\": `paths` entry 1 has a space, a \\, a ;"},
	{"PATH-2 beyond ASCII", one + "paths: [/bücher]", "4:11: rule \"one\": `paths` entry 1 has a space, a \\, a ; or a byte beyond ASCII"},
	{"PATH-6 star inside a segment", one + "paths: [/a, '/*.js']", "4:15: rule \"one\": `paths` entry 2 has a * inside a segment"},
	{"PATH-6 three stars", one + "paths: [/***]", "4:11: rule \"one\": `paths` entry 1 has a * inside a segment"},
	{"PATH-6 two stars inside", one + "paths: [/**/x]", "4:11: rule \"one\": `paths` entry 1 has a ** that is not the last segment"},
	{"PATH-2 escaped slash", one + "paths: [/a%2Fb]", "4:11: rule \"one\": `paths` entry 1 has an escape that no canonical path has"},
	{"PATH-2 escaped per cent", one + "paths: [/a%25]", "4:11: rule \"one\": `paths` entry 1 has an escape that no canonical path has"},
	{"PATH-2 escaped NUL", one + "paths: [/%00]", "4:11: rule \"one\": `paths` entry 1 has an escape that no canonical path has"},
	{"PATH-2 escaped letter behind a good escape", one + "paths: [/%20%61]", "4:11: rule \"one\": `paths` entry 1 has an escape that decodes to a plain character"},
	{"PATH-2 escaped dot", one + "paths: [/%2e%2e/a]", "4:11: rule \"one\": `paths` entry 1 has an escape that decodes to a plain character"},
	{"PATH-2 escaped Latin-1", one + "paths: [/%f6]", "4:11: rule \"one\": `paths` entry 1 has an escape that is not UTF-8"},
	{"PATH-3 cut escape", one + "paths: [/a%2]", "4:11: rule \"one\": `paths` entry 1 has a % without two hexadecimal digits"},

	{"PATH-7 lower-case method", one + "methods: [GET, post]", "4:18: rule \"one\": `methods` entry 2 is not in upper case, and methods are compared as they are; write POST"},
	{"PATH-7 no method", one + "methods: ['GET HEAD']", "4:13: rule \"one\": `methods` entry 1 is not a method"},
	{"PATH-7 star", one + "methods: ['*']", "4:13: rule \"one\": `methods` entry 1 is *; leave `methods` out for all"},

	{"CFG-1 context with a space", one + "acr: ['mfa pwd']", "4:9: rule \"one\": `acr` entry 1 is no authentication context"},
	{"CFG-1 number of seconds", one + "max_age: 900", "4:12: rule \"one\": `max_age` has to be text"},
	{"CFG-1 days", one + "max_age: 7d", "4:12: rule \"one\": `max_age` is not a duration; write for example 90s, 15m or 12h"},
	{"CFG-1 no time", one + "max_age: 0s", "4:12: rule \"one\": `max_age` is too short"},
	{"CFG-1 negative time", one + "max_age: -15m", "4:12: rule \"one\": `max_age` is too short"},
	{"CFG-1 unknown provider", one + "provider: github", "4:13: rule \"one\": `provider` is no provider; known here are oidc"},
	{"HTTP-8 any origin", one + "cors: {origins: ['*']}", "4:20: rule \"one\": `origins` entry 1 is *"},
	{"HTTP-8 null origin", one + "cors: {origins: ['null']}", "4:20: rule \"one\": `origins` entry 1 is not an origin"},
	{"HTTP-8 origin with a path", one + "cors: {origins: ['https://a.test/']}", "4:20: rule \"one\": `origins` entry 1 has more than a scheme, a host and a port"},
	{"HTTP-8 origin with its default port", one + "cors: {origins: ['https://a.test:443']}", "4:20: rule \"one\": `origins` entry 1 names the default port"},
	{"HTTP-8 origin with a capital", one + "cors: {origins: ['https://A.test']}", "4:20: rule \"one\": `origins` entry 1 has capital letters"},
	{"HTTP-8 cors without origins", one + "cors: {}", "4:9: rule \"one\": `cors` is an empty mapping"},
	{"CFG-1 icon", one + "icon: rocket", "4:9: rule \"one\": `icon` is not an address"},
	{"CFG-1 title of two lines", one + `title: "a\nb"`, "4:10: rule \"one\": `title` is longer than a line"},
}

var conditionMistakes = []fileMistake{
	{"CFG-1 empty groups (CVE-2021-21411)", allow + "groups: []", "4:13: rule \"one\": `groups` is an empty list"},
	{"CFG-1 no emails", allow + "emails:", "4:5: rule \"one\": `emails` is empty"},
	{"CFG-1 empty claim", allow + "claims: {department: []}", "4:26: rule \"one\": `claims.department` is an empty list"},
	{"AUTHZ-2 no @", allow + "emails: [ada]", "4:14: rule \"one\": `emails` entry 1 is not an e-mail address"},
	{"AUTHZ-2 two @", allow + "emails: [a@x@example.com]", "4:14: rule \"one\": `emails` entry 1 is not an e-mail address"},
	{"AUTHZ-2 star among e-mails", allow + "emails: ['*']", "4:14: rule \"one\": `emails` entry 1 is *; to let in everybody who is signed in, write `allow: any`"},
	{"AUTHZ-2 domain among e-mails", allow + "emails: ['@example.com']", "4:14: rule \"one\": `emails` entry 1 is a domain; write it without the @ into `email_domains`"},
	{"AUTHZ-2 @ in a domain", allow + "email_domains: ['@example.com']", "4:21: rule \"one\": `email_domains` entry 1 has an @"},
	{"AUTHZ-2 star in a domain", allow + "email_domains: ['*.example.com']", "4:21: rule \"one\": `email_domains` entry 1 begins with *."},
	{"AUTHZ-2 star for domains", allow + "email_domains: ['*']", "4:21: rule \"one\": `email_domains` entry 1 is *;"},
	{"CFG-1 star for groups", allow + "groups:\n    - sre\n    - '*'", "6:7: rule \"one\": `groups` entry 2 is *;"},
	{"CFG-1 group that is a number", allow + "groups: [1000]", "4:14: rule \"one\": `groups` entry 1 has to be text; put it into quotes"},
	{"CFG-1 group with a space behind", allow + "groups: ['sre ']", "4:14: rule \"one\": `groups` entry 1 begins or ends with white space"},
	{"CFG-1 group with a control character", allow + `groups: ["a\tb"]`, "4:14: rule \"one\": `groups` entry 1 has a control character"},
	{"CFG-1 claims as a list", allow + "claims: [department]", "4:13: rule \"one\": `claims` has to be a mapping and is a list"},
	{"CFG-1 claim that is a text", allow + "claims: {department: eng}", "4:26: rule \"one\": `claims.department` has to be a list and is text"},
	{"CFG-1 claim with a hole", allow + "claims: {a..b: [x]}", "4:14: rule \"one\": `claims.a..b` is not a claim"},
	{"CFG-1 claim in hexadecimal", allow + "claims: {level: [0x10]}", "4:22: rule \"one\": `claims.level` entry 1 is a number in an unusual form"},
	{"CFG-1 claim with a fraction", allow + "claims: {level: [1.5]}", "4:22: rule \"one\": `claims.level` entry 1 has to be text"},
	{"CFG-1 network is a name", allow + "networks: [10.0.0.0/8, office]", "4:28: rule \"one\": `networks` entry 2 is neither a network nor an address"},
	{"CFG-1 prefix too long", allow + "networks: [10.0.0.0/33]", "4:16: rule \"one\": `networks` entry 1 is neither"},
	{"CFG-1 when is true", allow + "when: true", "4:11: rule \"one\": `when` has to be text"},
}

var tokenMistakes = []fileMistake{
	{"BEAR-1 no audience", jwt + "user_claim: sub", "3:15: token 1: `issuer_url` needs `audiences` beside it"},
	{"BEAR-1 empty audiences", jwt + "audiences: []", "4:14: token 1: `audiences` is an empty list"},
	{"CFG-1 no kind", "rules: [{allow: any}]\ntokens:\n- audiences: [x]\n", "3:3: token 1: has none of issuer_url, introspection_url and keys_file"},
	{"CFG-1 two kinds", jwt + "audiences: [x]\n  keys_file: /k", "5:14: token 1: `keys_file` is one too many"},
	{"CFG-1 client of an issuer", jwt + "audiences: [x]\n  client_id: x", "5:14: token 1: `client_id` has no effect beside `issuer_url`"},
	{"CFG-1 introspection without a client", probe + "client_secret: x", "3:22: token 1: `introspection_url` needs `client_id` beside it"},
	{"CFG-1 introspection without a secret", probe + "client_id: x", "3:22: token 1: `introspection_url` needs `client_secret_file` beside it"},
	{"BEAR-2 ID tokens and introspection", probe + "client_id: x\n  client_secret: x\n  legacy_id_tokens: true", "6:21: token 1: `legacy_id_tokens` has no effect"},
	{"CFG-1 secret and its file", probe + "client_id: x\n  client_secret: x\n  client_secret_file: /x", "6:23: token 1: `client_secret_file` is there together with `client_secret`"},
	{"CFG-1 secret file is not there", probe + "client_id: x\n  client_secret_file: /nowhere/x", "5:23: token 1: `client_secret_file` cannot read \"/nowhere/x\": no such file or directory"},
	{"CFG-1 claims of keys", "rules: [{allow: any}]\ntokens:\n- keys_file: /k\n  user_claim: sub\n", "4:15: token 1: `user_claim` has no effect beside `keys_file`"},
	{"CFG-1 issuer is a host", "rules: [{allow: any}]\ntokens:\n- issuer_url: id.test\n  audiences: [x]\n", "3:15: token 1: `issuer_url` is not an address"},
	{"CFG-1 issuer twice", jwt + "audiences: [x]\n- issuer_url: https://id.test\n  audiences: [y]", "5:15: token 2: `issuer_url` is the issuer of the token on line 3 too"},
	{"CFG-1 CA file is not there", jwt + "audiences: [x]\n  ca_file: /nowhere/ca", "5:12: token 1: `ca_file` cannot read \"/nowhere/ca\""},
	{"CFG-1 groups claim", jwt + "audiences: [x]\n  groups_claim: [groups, 'a b']", "5:26: token 1: `groups_claim` entry 2 is not a claim"},
}

var headerMistakes = []fileMistake{
	{"HDR-1 control header", head + "X-Original-URL: email", "3:3: `headers.X-Original-URL` is a header that HTTP, the gateway or Doorward itself needs"},
	{"HDR-1 control header in another case", head + "x-forwarded-HOST: email", "3:3: `headers.x-forwarded-HOST` is a header that HTTP"},
	{"HDR-6 hop by hop", head + "Connection: email", "3:3: `headers.Connection` is a header that HTTP"},
	{"HDR-6 length", head + "Content-Length: email", "3:3: `headers.Content-Length` is a header that HTTP"},
	{"HDR-1 cookie", head + "Set-Cookie: email", "3:3: `headers.Set-Cookie` is a header that HTTP"},
	{"HDR-4 underscore", head + "X_Team: email", "3:3: `headers.X_Team` has an underscore"},
	{"HDR-4 space", head + "X Team: email", "3:3: `headers.X Team` is not the name of a header"},
	{"HDR-5 header of a family", head + "x-auth-request-email: email", "3:3: `headers.x-auth-request-email` is sent already by DOORWARD_IDENTITY_HEADERS"},
	{"HDR-5 two spellings", head + "X-Team: email\n  x-team: email", "4:3: `headers.x-team` is there already in another spelling"},
	{"CFG-1 source", head + "X-Team: mail", "3:11: `headers.X-Team` has to be user, email, preferred_username, name, groups or claims. and a claim; did you mean email?"},
	{"CFG-1 source without a claim", head + "X-Team: claims.", "3:11: `headers.X-Team` is not a claim"},
	{"CFG-1 source is a list", head + "X-Team: [email]", "3:11: `headers.X-Team` has to be text and is a list"},
}

var providerMistakes = []fileMistake{
	{"CFG-1 two providers of one name", idp + "name: a\n- name: a\n  issuer_url: https://b.test\n  client_id: y", "6:3: provider \"a\": has the name a, as the provider on line 3 has"},
	{"CFG-1 unknown type", idp + "type: saml", "5:9: provider 1: `type` has to be oidc, github, google or entra; most providers are oidc"},
	{"CFG-1 tenants of another type", idp + "tenants: [11111111-aaaa-4aaa-8aaa-111111111111]", "5:12: provider 1: `tenants` has no effect for a provider of the type oidc; remove it"},
	{"CFG-1 domains of another type", idp + "hosted_domains: [example.com]", "5:19: provider 1: `hosted_domains` has no effect for a provider of the type oidc"},
	{"CFG-1 API of another type", idp + "api_url: https://a.test", "5:12: provider 1: `api_url` has no effect for a provider of the type oidc"},
	{"CFG-1 keys of a GitHub", idp + "type: github\n  jwks_url: https://a.test", "6:13: provider 1: `jwks_url` has no effect for a provider of the type github"},
	{"CFG-1 userinfo of Entra", entra + "userinfo_url: https://a.test", "6:17: provider 1: `userinfo_url` has no effect for a provider of the type entra"},
	{"CFG-1 a GitHub is not discovered", idp + "type: github\n  discovery: false", "6:14: provider 1: `discovery` has no effect for a provider of the type github"},
	{"CFG-1 discovery somewhere, and none", idp + "discovery: false\n  discovery_url: https://a.test\n  auth_url: https://a.test\n  token_url: https://a.test\n  jwks_url: https://a.test", "6:18: provider 1: `discovery_url` has no effect beside `discovery: false`"},
	{"OIDC-9 Entra without tenants", "rules: [{allow: any}]\nproviders: [{type: entra, client_id: x}]\n", "2:13: provider 1: lacks `tenants`; write the ids of those whose users may sign in"},
	{"OIDC-9 every tenant", "rules: [{allow: any}]\nproviders: [{type: entra, client_id: x, tenants: [common]}]\n", "2:51: provider 1: `tenants` entry 1 is not the id of a tenant; write it as 8-4-4-4-12"},
	{"OIDC-9 issuer of a tenant", entra + "issuer_url: https://login.microsoftonline.com/common/v2.0", "6:15: provider 1: `issuer_url` has a path, and for entra it is the address of the cloud alone"},
	{"CFG-1 hosted domain with an @", google + "hosted_domains: ['@example.com']", "5:20: provider 1: `hosted_domains` entry 1 has an @"},
	{"CFG-1 groups from elsewhere", google + "groups_from: ldap", "5:16: provider 1: `groups_from` has to be directory, cloud_identity or"},
	{"CFG-1 directory without an account", google + "groups_from: directory", "5:16: provider 1: `groups_from` is directory, which needs `service_account_file` beside it"},
	{"CFG-1 subject without an account", google + "service_account_subject: a@example.com", "5:28: provider 1: `service_account_subject` has no effect without `service_account_file`"},
	{"CFG-1 account that is not there", google + "groups_from: cloud_identity\n  service_account_file: /does/not/exist", "6:25: provider 1: `service_account_file` cannot read \"/does/not/exist\": no such file or directory"},
	{"CFG-1 account that is none", google + "groups_from: cloud_identity\n  service_account_file: testdata/contract.yaml", "6:25: provider 1: `service_account_file` the file (its path"},
	{"OIDC-10 unknown client authentication", idp + "client_auth: basic", "5:16: provider 1: `client_auth` has to be client_secret_basic, client_secret_post, none,"},
	{"OIDC-10 a secret that is missing", idp + "client_auth: client_secret_post", "5:16: provider 1: `client_auth` is client_secret_post, which needs `client_secret_file` beside it"},
	{"OIDC-10 a key that is missing", idp + "client_auth: private_key_jwt", "5:16: provider 1: `client_auth` is private_key_jwt, which needs `client_key_file` beside it"},
	{"OIDC-10 a token that is missing", idp + "client_auth: federated_token", "5:16: provider 1: `client_auth` is federated_token, which needs `client_token_file` beside it"},
	{"OIDC-10 a secret of a public client", idp + "client_auth: none\n  client_secret: x", "6:18: provider 1: `client_secret` has no effect for a client that proves itself by none; remove it, or see `client_auth`"},
	{"OIDC-10 a key id without a key", idp + "client_key_id: x", "5:18: provider 1: `client_key_id` has no effect for a client that proves itself by a secret, or as a public client"},
	{"OIDC-10 a key file that is not there", idp + "client_key_file: /does/not/exist", "5:20: provider 1: `client_key_file` cannot read \"/does/not/exist\""},
	{"OIDC-10 a key file without a key", idp + "client_key_file: testdata/contract.yaml", "5:20: provider 1: `client_key_file` the file (its path"},
	{"OIDC-10 a token file without a token", idp + "client_token_file: testdata/contract.yaml", "5:22: provider 1: `client_token_file` the file (its path"},
	{"OIDC-10 a certificate file without one", idp + "client_cert_file: testdata/contract.yaml", "5:21: provider 1: `client_cert_file` the file (its path"},
	{"CFG-1 name in an address", idp + "name: Company Login", "5:9: provider \"Company Login\": `name` has to be made of"},
	{"CFG-1 no issuer", "rules: [{allow: any}]\nproviders: [{client_id: x}]\n", "2:13: provider 1: lacks `issuer_url`"},
	{"CFG-1 no client", "rules: [{allow: any}]\nproviders: [{issuer_url: 'https://id.test'}]\n", "2:13: provider 1: lacks `client_id`"},
	{"CFG-1 no discovery, no keys", idp + "discovery: false\n  auth_url: https://a.test\n  token_url: https://a.test", "3:3: provider 1: lacks `jwks_url`, and discovery is false"},
	{"CFG-1 scopes without openid", idp + "scopes: [email]", "5:11: provider 1: `scopes` lacks openid"},
	{"CFG-1 scopes with spaces", idp + "scopes: [openid email]", "5:12: provider 1: `scopes` entry 1 is not a scope"},
	{"OIDC-1 parameter of Doorward", idp + "auth_params: {nonce: x}", "5:17: provider 1: `auth_params.nonce` is a parameter that Doorward sets itself"},
	{"CFG-1 issuer with a query", "rules: [{allow: any}]\nproviders: [{issuer_url: 'https://id.test?x', client_id: x}]\n", "2:26: provider 1: `issuer_url` has a query"},
	{"CFG-1 insecure", idp + "insecure_skip_tls_verify: yes", "5:29: provider 1: `insecure_skip_tls_verify` has to be true or false"},
}

// CFG-1: everything that is wrong is said at once, in the order of the file, and
// beside what is wrong with the environment.
func TestAllMistakesOfAFile(t *testing.T) {
	_, _, found := loadFile(t, `
rules:
  - name: a
    hosts: [A.test]
    emial: x
    public: false
  - name: a
headers: {Host: x}
tokens: []
`, env{"LOG_LEVEL": "loud"})
	want := []string{
		"DOORWARD_LOG_LEVEL: ",
		"doorward.yaml:4:13: rule \"a\": `hosts` entry 1 has capital",
		"doorward.yaml:5:5: rule \"a\": unknown key `emial`",
		"doorward.yaml:6:13: rule \"a\": `public` has to be true",
		"doorward.yaml:7:5: rule \"a\": has none of",
		"doorward.yaml:7:11: rule \"a\": `name` is named as the rule on line 3 is",
		"doorward.yaml:8:11: `headers.Host` is a header",
		"doorward.yaml:8:17: `headers.Host` has to be user",
		"doorward.yaml:9:9: `tokens` is an empty list",
	}
	if len(found) != len(want) {
		t.Fatalf("mistakes:\n%s", strings.Join(found, "\n"))
	}
	for i := range want {
		if !strings.HasPrefix(found[i], want[i]) {
			t.Errorf("mistake %q, want %q…", found[i], want[i])
		}
	}
}

// What the file and the environment say together.
func TestFileBesideEnvironment(t *testing.T) {
	for _, tt := range []struct {
		name    string
		content string
		env     env
		want    string
	}{
		{"CFG-1 rules and groups", one, env{"ALLOWED_GROUPS": "sre"}, "doorward.yaml:2:1: `rules` are set together with DOORWARD_ALLOW*; keep one of them"},
		{"CFG-1 rules and anybody", one, env{"ALLOW_ANY_USER": "true"}, "doorward.yaml:2:1: `rules` are set together with DOORWARD_ALLOW*"},
		{"CFG-1 rules and empty groups", one, env{"ALLOWED_GROUPS": ""}, "DOORWARD_ALLOWED_GROUPS: is set but empty"},
		{"CFG-1 two providers", idp, env{"OIDC_CLIENT_ID": unset}, "DOORWARD_OIDC_ISSUER_URL: is set, and the file of DOORWARD_CONFIG_FILE has `providers`; keep one of them"},
		{"CFG-1 no provider", one, env{"OIDC_ISSUER_URL": unset}, "DOORWARD_OIDC_ISSUER_URL: is missing"},
		{"CFG-1 an unreadable file says nothing about the provider", "rules: [", inFile, "doorward.yaml:1:8: is no YAML"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, found := loadFile(t, tt.content, tt.env)
			if len(found) != 1 || !strings.HasPrefix(found[0], tt.want) {
				t.Errorf("mistakes:\n%s\nwant one: %s…", strings.Join(found, "\n"), tt.want)
			}
		})
	}
}

// Thousands of mistakes are not thousands of lines.
func TestMistakesAreBounded(t *testing.T) {
	_, _, found := loadFile(t, one+"hosts: ["+strings.Repeat("A, ", 500)+"]", nil)
	if last := found[len(found)-1]; len(found) != 101 || last != "doorward.yaml: and 400 more mistakes" {
		t.Errorf("%d mistakes, the last %q", len(found), last)
	}
}

// LOG-2: a value is never repeated, whatever is wrong with it.
func TestFileMistakesRepeatNoValue(t *testing.T) {
	keys := strings.Fields(`issuer_url client_id client_secret client_secret_file scopes auth_url user_claim groups_claim auth_params ca_file
		audiences introspection_url keys_file hosts paths methods acr max_age provider icon title emails when`)
	for _, key := range keys {
		for _, value := range []string{"marker", "'mar ker'", "[marker]", "{a: marker}", "marker: marker", "*marker", "!marker x", "\"marker", "[[marker]]", "'marker%zz'", "https://marker:x@marker#", "|\n      marker\n      marker"} {
			for _, form := range []string{"providers:\n  - %s: %s\n", "tokens:\n  - %s: %s\n", "rules:\n  - %s: %s\n", "rules:\n  - allow:\n      %s: %s\n"} {
				_, warnings, found := loadFile(t, fmt.Sprintf(form, key, value), nil)
				if text := strings.Join(append(warnings, found...), "\n"); strings.Contains(text, "marker") || strings.Contains(text, "%!") {
					t.Errorf("%s", text)
				}
			}
		}
	}
}
