package main

import (
	"os"
	"os/exec"
	"path/filepath"
)

// keycloak is the server's own distribution, which Maven brings, prepared for a
// quick start: what its `kc.sh build` works out is kept. It is there when the
// link in bin leads to the version.
type keycloak struct {
	bin     string
	version string
}

// mavenDependency fetches and unpacks without a project around it.
const mavenDependency = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"

func (k keycloak) name() string { return "keycloak " + k.version }

func (k keycloak) dir() string { return filepath.Dir(k.bin) }

func (k keycloak) home() string { return filepath.Join(k.dir(), "keycloak-"+k.version) }

func (k keycloak) program() string { return filepath.Join(k.home(), "bin", "kc.sh") }

func (k keycloak) link() string { return filepath.Join(k.bin, "kc.sh") }

func (k keycloak) missing() bool {
	target, err := os.Readlink(k.link())
	if err != nil || target != k.program() {
		return true
	}
	_, err = os.Stat(k.link())
	return err != nil
}

// install makes the link last, so that an install that was broken off is begun
// again.
func (k keycloak) install() error {
	if err := os.RemoveAll(k.home()); err != nil {
		return err
	}
	if err := os.MkdirAll(k.bin, 0o755); err != nil {
		return err
	}
	// Without a project the plugin leaves its notes of what it has unpacked below
	// this name, and believes them although the files are gone.
	if err := os.RemoveAll(filepath.Join(k.dir(), "${project.basedir}")); err != nil {
		return err
	}
	// The archive has one directory, with the version in its name.
	unpack := exec.Command("/usr/bin/mvn", "--quiet", "--batch-mode", mavenDependency+":unpack",
		"-Dartifact=org.keycloak:keycloak-quarkus-dist:"+k.version+":zip", "-DoutputDirectory="+k.dir())
	unpack.Dir = k.dir() // where no pom.xml is
	if err := quietly(unpack); err != nil {
		return err
	}
	if err := os.Chmod(k.program(), 0o755); err != nil { // #nosec G302 -- it is a program
		return err
	}
	if err := quietly(exec.Command(k.program(), "build", "--db=dev-mem", "--cache=local")); err != nil {
		return err
	}
	if err := os.Remove(k.link()); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.Symlink(k.program(), k.link())
}
