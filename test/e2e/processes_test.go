package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// adoptOrphans makes this process the parent of every descendant whose own
// parent ends, so that none of them can slip away (prctl(2),
// PR_SET_CHILD_SUBREAPER).
func adoptOrphans(t *testing.T) {
	t.Helper()
	const setChildSubreaper = 36
	if _, _, err := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); err != 0 {
		t.Fatalf("prctl: %v", err)
	}
}

// checkNoProcessLeft: whatever the run started has ended.
func checkNoProcessLeft(t *testing.T) {
	t.Helper()
	until(t, "every process has ended: "+strings.Join(descendants(t, os.Getpid()), ", "), func() bool {
		return len(descendants(t, os.Getpid())) == 0
	})
}

// TestDescendants: a grandchild whose parent has ended is found, and one that
// has ended is not.
func TestDescendants(t *testing.T) {
	adoptOrphans(t)
	orphan, err := os.StartProcess("/bin/sh", []string{"sh", "-c", "sleep 600 & echo $!"}, &os.ProcAttr{
		Files: []*os.File{nil, nil, nil}, Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := orphan.Wait(); err != nil {
		t.Fatal(err)
	}
	until(t, "the grandchild is ours", func() bool { return len(descendants(t, os.Getpid())) == 1 })
	if err := syscall.Kill(-orphan.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	checkNoProcessLeft(t)
}

// descendants are the names of the living processes below pid. One that has
// ended and waits for its parent to notice is not living.
func descendants(t *testing.T, pid int) []string {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		t.Fatalf("/proc cannot be read: %v", err)
	}
	children := map[int][]processStat{}
	for _, file := range stats {
		if p, ok := readStat(file); ok {
			children[p.parent] = append(children[p.parent], p)
		}
	}
	var names []string
	for queue := []int{pid}; len(queue) > 0; queue = queue[1:] {
		for _, child := range children[queue[0]] {
			queue = append(queue, child.pid)
			if child.state != "Z" && child.state != "X" {
				names = append(names, fmt.Sprintf("%s (%d)", child.name, child.pid))
			}
		}
	}
	return names
}

type processStat struct {
	pid, parent int
	name, state string
}

// readStat reads "pid (name) state parent …"; false when the process has gone.
func readStat(file string) (processStat, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return processStat{}, false
	}
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return processStat{}, false
	}
	rest := strings.Fields(string(text[end+1:]))
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:open])))
	if err != nil || len(rest) < 2 {
		return processStat{}, false
	}
	parent, err := strconv.Atoi(rest[1])
	return processStat{pid: pid, parent: parent, name: string(text[open+1 : end]), state: rest[0]}, err == nil
}
