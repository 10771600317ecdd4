package manifest

import (
	"reflect"
	"slices"
)

// Diff names what two manifests have differently, in the order of the alphabet:
// dotted keys, of a table that only one has that of the table.
func Diff(a, b *Manifest) []string {
	d := &diff{}
	d.structs("", reflect.ValueOf(*a), reflect.ValueOf(*b))
	slices.Sort(d.keys)
	return d.keys
}

type diff struct{ keys []string }

func (d *diff) structs(key string, a, b reflect.Value) {
	for i := range a.NumField() {
		f := a.Type().Field(i)
		switch name := f.Tag.Get("toml"); {
		case f.Anonymous:
			d.structs(key, a.Field(i), b.Field(i))
		case name != "" && name != "-":
			d.values(key+name, a.Field(i), b.Field(i))
		}
	}
}

func (d *diff) values(key string, a, b reflect.Value) {
	switch kind := a.Kind(); {
	case kind == reflect.Pointer && !a.IsNil() && !b.IsNil():
		d.values(key, a.Elem(), b.Elem())
	case kind == reflect.Struct:
		d.structs(key+".", a, b)
	case kind == reflect.Map && a.Type().Elem().Kind() == reflect.Pointer:
		d.maps(key, a, b)
	case kind == reflect.Map && a.Len() == 0 && b.Len() == 0, kind == reflect.Slice && a.Len() == 0 && b.Len() == 0:
	case !reflect.DeepEqual(a.Interface(), b.Interface()):
		d.keys = append(d.keys, key)
	}
}

// maps compares tables by their names.
func (d *diff) maps(key string, a, b reflect.Value) {
	for _, k := range a.MapKeys() {
		if v := b.MapIndex(k); v.IsValid() {
			d.values(key+"."+k.String(), a.MapIndex(k), v)
		} else {
			d.keys = append(d.keys, key+"."+k.String())
		}
	}
	for _, k := range b.MapKeys() {
		if !a.MapIndex(k).IsValid() {
			d.keys = append(d.keys, key+"."+k.String())
		}
	}
}
