// Doorward answers one question for a gateway: may this request pass, and as
// whom?
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr, serve))
}
