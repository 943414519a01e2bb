package redistest

import (
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// Cluster is three masters with a replica each.
type Cluster struct {
	Nodes []*Server // the first three began as masters, each with the one three further on

	t testing.TB
}

// StartCluster runs a Cluster of six nodes until the test ends. A master that went
// is replaced after two seconds.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	for range 6 {
		_, bus, _ := net.SplitHostPort(freeAddr(t))
		c.Nodes = append(c.Nodes, Start(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
			"--cluster-port", bus, "--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0"))
		node := c.Nodes[len(c.Nodes)-1]
		_, port, _ := net.SplitHostPort(c.Nodes[0].Addr)
		if len(c.Nodes) > 1 {
			node.Must("CLUSTER", "MEET", "127.0.0.1", port, busOf(c.Nodes[0]))
		}
	}
	for i, from := range []int{0, 5461, 10923} {
		c.Nodes[i].Must("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(from), strconv.Itoa([]int{5460, 10922, 16383}[i]))
	}
	c.await("all nodes know each other", "cluster_known_nodes:6")
	for i := range 3 {
		id := c.Nodes[i].Must("CLUSTER", "MYID")
		await(t, "a replica knows its master", func() bool { return c.Nodes[i+3].Must("CLUSTER", "REPLICATE", id) == "OK" })
	}
	c.await("every slot has a master", "cluster_state:ok")
	await(t, "every replica follows", func() bool {
		for _, node := range c.Nodes[3:] {
			if !strings.Contains(node.Must("INFO", "replication"), "master_link_status:up") {
				return false
			}
		}
		return true
	})
	return c
}

func busOf(s *Server) string {
	for i, arg := range s.args {
		if arg == "--cluster-port" {
			return s.args[i+1]
		}
	}
	return ""
}

func (c *Cluster) await(what, line string) {
	c.t.Helper()
	await(c.t, what, func() bool {
		for _, node := range c.Nodes {
			if !strings.Contains(node.Must("CLUSTER", "INFO"), line) {
				return false
			}
		}
		return true
	})
}

// Addresses are those of all nodes.
func (c *Cluster) Addresses() []string {
	var all []string
	for _, node := range c.Nodes {
		all = append(all, node.Addr)
	}
	return all
}

// Move moves slots from one master to another, with what is in them, while both
// serve.
func (c *Cluster) Move(from, to *Server, slots int) error {
	output, err := exec.Command("redis-cli", "--cluster", "reshard", from.Addr,
		"--cluster-from", from.Must("CLUSTER", "MYID"), "--cluster-to", to.Must("CLUSTER", "MYID"),
		"--cluster-slots", strconv.Itoa(slots), "--cluster-yes").CombinedOutput()
	if err != nil {
		return fmt.Errorf("redis-cli --cluster reshard: %w\n%s", err, output)
	}
	return nil
}
