package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Descendants returns the running processes below the given one. Everything
// inside a PID namespace descends from its first process, also what a shim or
// a container left behind.
func Descendants(root Identity) ([]Identity, error) {
	children, err := childrenByParent(root.Boot)
	if err != nil {
		return nil, err
	}
	var found []Identity
	for queue := []int{root.PID}; len(queue) > 0; queue = queue[1:] {
		for _, child := range children[queue[0]] {
			found = append(found, child)
			queue = append(queue, child.PID)
		}
	}
	return found, nil
}

// ChildrenByInnerPID returns the direct children of the first process of a PID
// namespace by the number that they have inside.
func ChildrenByInnerPID(root Identity) (map[int]Identity, error) {
	children, err := childrenByParent(root.Boot)
	if err != nil {
		return nil, err
	}
	byInner := make(map[int]Identity)
	for _, child := range children[root.PID] {
		inner, err := innerPID(child.PID)
		if err != nil {
			continue // it ended while we were looking
		}
		byInner[inner] = child
	}
	return byInner, nil
}

func childrenByParent(boot string) (map[int][]Identity, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	children := make(map[int][]Identity)
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, err := readStat(pid)
		if err != nil || stat.zombie {
			continue // it ended while we were looking
		}
		children[stat.parent] = append(children[stat.parent], Identity{PID: pid, Start: stat.start, Boot: boot})
	}
	return children, nil
}

// innerPID is the last number on the line NSpid, see proc(5).
func innerPID(pid int) (int, error) {
	content, err := os.ReadFile(procPath(pid, "status"))
	if err != nil {
		return 0, fmt.Errorf("reading process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(content)) {
		if numbers, found := strings.CutPrefix(line, "NSpid:"); found {
			fields := strings.Fields(numbers)
			return strconv.Atoi(fields[len(fields)-1])
		}
	}
	return 0, fmt.Errorf("process %d: the kernel does not tell its number in its namespace", pid)
}
