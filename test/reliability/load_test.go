package reliability

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// tally is what many requests got.
type tally struct {
	mu       sync.Mutex
	statuses map[int]int // 0: no answer
	took     []time.Duration
	errors   []error
}

func (c *tally) add(a answer, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.statuses == nil {
		c.statuses = map[int]int{}
	}
	if err != nil {
		a.status = 0
		c.errors = append(c.errors, err)
	}
	c.statuses[a.status]++
	c.took = append(c.took, a.took)
}

// only reports whether there was at least one request and all got this status.
func (c *tally) only(status int) bool {
	return len(c.took) > 0 && c.statuses[status] == len(c.took)
}

func (c *tally) String() string {
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(c.statuses)) {
		parts = append(parts, fmt.Sprintf("%d × %d", c.statuses[status], status))
	}
	slices.Sort(c.took)
	text := fmt.Sprintf("%s, p50 %v, p99 %v, longest %v", strings.Join(parts, ", "),
		c.quantile(0.5), c.quantile(0.99), c.quantile(1))
	if len(c.errors) > 0 {
		text += fmt.Sprintf(", first error: %v", c.errors[0])
	}
	return text
}

// quantile wants the times in order.
func (c *tally) quantile(q float64) time.Duration {
	if len(c.took) == 0 {
		return 0
	}
	return c.took[min(len(c.took)-1, int(q*float64(len(c.took))))].Round(10 * time.Microsecond)
}

// atOnce does something n times, as many at a time as there are workers.
func atOnce(n, workers int, do func(i int) (answer, error)) *tally {
	result := &tally{}
	work := make(chan int)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := range work {
				result.add(do(i))
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	group.Wait()
	return result
}

// steady does something at a rate per second, whether or not answers come, until
// the function that it returns is called. What a busy machine was late with is made
// up for.
func steady(rate int, do func() (answer, error)) (stop func() *tally) {
	result := &tally{}
	quit, done := make(chan struct{}), make(chan struct{})
	slots := make(chan struct{}, 64) // a gateway holds only so many connections
	go func() {
		defer close(done)
		var group sync.WaitGroup
		defer group.Wait()
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		began, sent := time.Now(), 0
		for {
			select {
			case <-quit:
				return
			case <-ticker.C:
				for due := int(time.Since(began).Seconds() * float64(rate)); sent < due; sent++ {
					group.Go(func() {
						select {
						case slots <- struct{}{}:
							result.add(do())
							<-slots
						case <-quit:
						}
					})
				}
			}
		}
	}()
	return func() *tally {
		close(quit)
		<-done
		return result
	}
}
