package main

import "context"

func measureGRPC(context.Context, *house) (string, error) { return "", nil }
