package main

import (
	"os"
	"os/exec"
	"path/filepath"
)

// wheel is a program that is published as a Python package, there when the link
// in bin leads to the version. Each version has a directory of its own.
type wheel struct {
	bin     string
	program string
	pkg     string
	version string
	path    string // of the program inside the package
}

func (w wheel) name() string { return w.pkg + " " + w.version }

func (w wheel) dir() string {
	return filepath.Join(filepath.Dir(w.bin), "wheels", w.pkg+"-"+w.version)
}

func (w wheel) link() string { return filepath.Join(w.bin, w.program) }

func (w wheel) missing() bool {
	target, err := os.Readlink(w.link())
	if err != nil || target != filepath.Join(w.dir(), w.path) {
		return true
	}
	_, err = os.Stat(w.link())
	return err != nil
}

func (w wheel) install() error {
	if err := os.RemoveAll(w.dir()); err != nil { // an install that was broken off
		return err
	}
	// Debian's pip, which needs no environment of its own to install elsewhere.
	install := exec.Command("/usr/bin/pip3", "install", "--no-deps", "--only-binary=:all:",
		"--disable-pip-version-check", "--target", w.dir(), w.pkg+"=="+w.version)
	if err := quietly(install); err != nil {
		return err
	}
	program := filepath.Join(w.dir(), w.path)
	if err := os.Chmod(program, 0o755); err != nil { // #nosec G302 -- it is a program
		return err
	}
	if err := os.MkdirAll(w.bin, 0o755); err != nil {
		return err
	}
	if err := os.Remove(w.link()); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.Symlink(program, w.link())
}
