package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
)

// debian is a package of the distribution, there when its file is.
type debian struct {
	pkg  string
	file string
}

func (d debian) missing() bool {
	_, err := os.Stat(d.file)
	return err != nil
}

// installPackages installs those that are missing, all at once.
func installPackages(packages []debian) error {
	var names []string
	for _, d := range packages {
		if d.missing() {
			names = append(names, d.pkg)
		} else {
			fmt.Printf("tools: %s is there\n", d.pkg)
		}
	}
	if len(names) == 0 {
		return nil
	}
	fmt.Printf("tools: installing %s …\n", strings.Join(names, ", "))
	if err := aptInstall(names); err != nil {
		return fmt.Errorf("install %s: %w", strings.Join(names, ", "), err)
	}
	for _, d := range packages {
		if d.missing() {
			return fmt.Errorf("install %s: %s is still missing afterwards", d.pkg, d.file)
		}
	}
	return nil
}

func aptInstall(names []string) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("there is no apt-get: install it by hand, or use Debian or Ubuntu")
	}
	allow, err := forbidServices()
	if err != nil {
		return err
	}
	err = asRoot("apt-get", "update", "-qq")
	if err == nil {
		args := []string{"install", "-y", "-qq", "--no-install-recommends"}
		err = asRoot("apt-get", append(args, names...)...)
	}
	return errors.Join(err, allow())
}

const policy = "/usr/sbin/policy-rc.d"

// forbidServices keeps packages from starting what they bring, such as nginx on
// port 80, until the function it returns is called. A policy that is there
// already is not touched.
func forbidServices() (allow func() error, err error) {
	nothing := func() error { return nil }
	if _, err := os.Lstat(policy); !errors.Is(err, fs.ErrNotExist) {
		return nothing, err
	}
	if err := asRoot("sh", "-c", "printf '#!/bin/sh\\nexit 101\\n' >"+policy+" && chmod 755 "+policy); err != nil {
		return nil, fmt.Errorf("keep services from starting: %w", err)
	}
	return func() error { return asRoot("rm", "-f", policy) }, nil
}

// asRoot runs a command, with sudo when we are somebody else. What it prints is
// shown when it fails.
func asRoot(name string, args ...string) error {
	command := append([]string{"env", "DEBIAN_FRONTEND=noninteractive", name}, args...)
	if os.Geteuid() != 0 {
		if _, err := exec.LookPath("sudo"); err != nil {
			return fmt.Errorf("%s needs root, and there is no sudo", name)
		}
		command = append([]string{"sudo"}, command...)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin = os.Stdin // sudo may ask for a password
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, output)
	}
	return nil
}
