package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/schemagate/schemagate/internal/bundle"
)

// Fingerprint returns a checksum, in hexadecimal, that two catalogs share if
// and only if Compare finds no difference between them, extras included.
func (c *Catalog) Fingerprint() string {
	canonical := c.canonical()
	data, err := json.Marshal(canonical)
	if err != nil {
		panic(err) // Strings, numbers and maps by strings can always be encoded.
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// speller returns how definitions are written in one way. PostgreSQL has done
// that already.
func (c *Catalog) speller() func(string) string {
	if c.Engine == bundle.SQLite {
		return plain
	}
	return func(s string) string { return s }
}

// canonical returns a copy in which everything is spelled in one way and whose
// columns are in the order of their names, without positions.
func (c *Catalog) canonical() *Catalog {
	spell := c.speller()
	out := &Catalog{
		Engine: c.Engine, Tables: maps.Clone(c.Tables),
		Sequences: slices.Clone(c.Sequences), Views: slices.Clone(c.Views),
	}
	for name, t := range out.Tables {
		out.Tables[name] = t.canonical(spell)
	}
	for i := range out.Views {
		out.Views[i].Definition = spell(out.Views[i].Definition)
	}
	out.tidy()
	return out
}

func (t *Table) canonical(spell func(string) string) *Table {
	out := *t
	out.Columns = slices.Clone(t.Columns)
	slices.SortStableFunc(out.Columns, func(a, b Column) int { return strings.Compare(a.Name, b.Name) })
	for i := range out.Columns {
		column := &out.Columns[i]
		column.Position = 0
		column.Type, column.Default, column.Generated = spell(column.Type), spell(column.Default), spell(column.Generated)
	}
	out.Unique, out.ForeignKeys = slices.Clone(t.Unique), slices.Clone(t.ForeignKeys)
	out.Checks, out.Indexes = slices.Clone(t.Checks), slices.Clone(t.Indexes)
	for i := range out.Checks {
		out.Checks[i].Definition = spell(out.Checks[i].Definition)
	}
	// SQLite's indexes without a name say nothing that the constraints do not.
	out.Indexes = slices.DeleteFunc(out.Indexes, func(i Index) bool { return i.Name == "" })
	for i := range out.Indexes {
		out.Indexes[i].Definition = spell(out.Indexes[i].Definition)
	}
	return &out
}
