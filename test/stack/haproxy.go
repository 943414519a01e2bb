package stack

import "errors"

func (f *Front) haproxy() (Command, error) { return Command{}, errors.New("not yet") }
