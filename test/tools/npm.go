package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
)

// node is a program for Node.js and the Node.js that it runs on, as a directory
// of the repository pins them in package-lock.json. It is there when its copy in
// .tools has the same files.
type node struct {
	bin     string
	program string
	source  string // its directory
}

func (n node) name() string { return n.program }

func (n node) dir() string { return filepath.Join(filepath.Dir(n.bin), n.program) }

func (n node) files() []string {
	files, _ := filepath.Glob(filepath.Join(n.source, "*")) // the pattern is well formed
	return files
}

func (n node) missing() bool {
	for _, file := range []string{".bin/node", ".package-lock.json"} { // npm writes the latter last
		if _, err := os.Stat(filepath.Join(n.dir(), "node_modules", file)); err != nil {
			return true
		}
	}
	for _, file := range n.files() {
		source, err := os.ReadFile(file)
		if err != nil {
			return true
		}
		copied, err := os.ReadFile(filepath.Join(n.dir(), filepath.Base(file)))
		if err != nil || !bytes.Equal(source, copied) {
			return true
		}
	}
	return false
}

// install begins anew, so that an install that was broken off is not taken for a
// whole one.
func (n node) install() error {
	if err := os.RemoveAll(n.dir()); err != nil {
		return err
	}
	if err := os.MkdirAll(n.dir(), 0o755); err != nil {
		return err
	}
	for _, file := range n.files() {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(n.dir(), filepath.Base(file)), text, 0o644); err != nil { // #nosec G306 -- nothing secret
			return err
		}
	}
	ci := exec.Command("/usr/bin/npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	ci.Dir = n.dir()
	return quietly(ci)
}
