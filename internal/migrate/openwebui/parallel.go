package openwebui

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// inParallel calls fn for 0 to n-1 on all processors and waits for the calls to
// end. It is for what documents take to be read: the database waits meanwhile.
func inParallel(n int, fn func(i int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				fn(i)
			}
		})
	}
	all.Wait()
}
