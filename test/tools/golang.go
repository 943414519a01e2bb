package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"time"
)

// goTool is a command from a Go module, there when its binary has the version.
type goTool struct {
	bin     string
	pkg     string
	version string
}

func (g goTool) name() string { return path.Base(g.pkg) + " " + g.version }

func (g goTool) missing() bool {
	info, err := buildinfo.ReadFile(filepath.Join(g.bin, path.Base(g.pkg)))
	return err != nil || info.Main.Version != g.version
}

func (g goTool) install() error {
	install := exec.Command("go", "install", g.pkg+"@"+g.version)
	install.Env = append(os.Environ(), "GOBIN="+g.bin, "GOFLAGS=")
	return quietly(install)
}

// dex is built from the module in tools/dex, which pins it.
type dex struct {
	bin    string
	module string // its directory
}

func (d dex) name() string { return "dex" }

// missing is also true when the source is newer than the binary.
func (d dex) missing() bool {
	binary, err := os.Stat(filepath.Join(d.bin, "dex"))
	if err != nil {
		return true
	}
	sources, err := filepath.Glob(filepath.Join(d.module, "*"))
	if err != nil {
		return true
	}
	for _, source := range sources {
		info, err := os.Stat(source)
		if err != nil || info.ModTime().After(binary.ModTime()) {
			return true
		}
	}
	return false
}

func (d dex) install() error {
	binary := filepath.Join(d.bin, "dex")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, ".")
	build.Dir = d.module
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := quietly(build); err != nil {
		return err
	}
	now := time.Now()
	return os.Chtimes(binary, now, now) // an unchanged binary keeps its time otherwise
}

// quietly shows what a command prints only when it fails.
func quietly(cmd *exec.Cmd) error {
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, output)
	}
	return nil
}
