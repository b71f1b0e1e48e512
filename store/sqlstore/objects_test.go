package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"countersign"
	"countersign/store/sqlstore"
)

func object(app, sid, kind, parent, name string) *countersign.FaceObject {
	return &countersign.FaceObject{App: app, SID: sid, Kind: kind, Parent: parent, Name: name, Body: []byte("sealed " + sid), Created: epoch, Updated: epoch}
}

func sidsOf(t *testing.T, f sqlstore.FaceObjects, app, kind, parent string) []string {
	t.Helper()
	list, err := f.List(t.Context(), app, kind, parent)
	if err != nil {
		t.Fatal(err)
	}
	var sids []string
	for _, o := range list {
		sids = append(sids, o.SID)
	}
	return sids
}

func TestFaceObjects(t *testing.T) {
	onBoth(t, func(t *testing.T, source string) {
		f := open(t, source, sqlstore.Options{}).FaceObjects()
		put := func(o *countersign.FaceObject, want error) {
			t.Helper()
			if err := f.Put(t.Context(), o); !errors.Is(err, want) {
				t.Errorf("Put(%s of %s) = %v, want %v", o.SID, o.App, err, want)
			}
		}
		later := object("shop", "RK2", "limit", "VA1", "user")
		later.Created = epoch.Add(time.Second)
		for _, o := range []*countersign.FaceObject{
			later, object("shop", "VA1", "service", "", "VA1"), object("shop", "RK1", "limit", "VA1", "ip"), object("shop", "BL1", "bucket", "RK1", "60"),
			object("other", "VA1", "service", "", "VA1"), object("shop", "RK3", "limit", "VA2", "ip"),
		} {
			put(o, nil)
		}
		put(object("shop", "RK9", "limit", "VA1", "ip"), countersign.ErrObjectExists)
		if got := sidsOf(t, f, "shop", "limit", "VA1"); !slices.Equal(got, []string{"RK1", "RK2"}) {
			t.Errorf("the limits of VA1 are %v, want the older first", got)
		}
		changed := object("shop", "RK1", "limit", "VA1", "ip")
		changed.Body, changed.Updated = []byte("changed"), epoch.Add(time.Minute)
		put(changed, nil)
		got, err := f.Get(t.Context(), "shop", "RK1")
		if err != nil || string(got.Body) != "changed" || !got.Created.Equal(epoch) || !got.Updated.Equal(changed.Updated) || got.Name != "ip" || got.Parent != "VA1" {
			t.Errorf("after a change it is %+v, %v", got, err)
		}
		for _, of := range [][2]string{{"other", "RK1"}, {"shop", "RK7"}} {
			if _, err := f.Get(t.Context(), of[0], of[1]); countersign.KindOf(err) != countersign.ErrNotFound {
				t.Errorf("Get(%s, %s) = %v, want not found", of[0], of[1], err)
			}
		}
		for _, step := range []struct {
			app  string
			want bool
		}{{"nobody", false}, {"shop", true}, {"shop", false}} {
			if gone, err := f.Delete(t.Context(), step.app, "VA1"); err != nil || gone != step.want {
				t.Errorf("Delete of %s's = %t, %v, want %t", step.app, gone, err, step.want)
			}
		}
		if left := append(sidsOf(t, f, "shop", "limit", "VA1"), sidsOf(t, f, "shop", "bucket", "RK1")...); len(left) > 0 {
			t.Errorf("%v stayed behind the service they belong to", left)
		}
		if got := append(sidsOf(t, f, "other", "service", ""), sidsOf(t, f, "shop", "limit", "VA2")...); !slices.Equal(got, []string{"VA1", "RK3"}) {
			t.Errorf("what belongs to others is now %v", got)
		}
	})
}

// Of many that ask for one name at once, on two nodes, one gets it. The control looks whether the name is free and then
// writes; the same trials find it out.
func TestFaceObjectNamesAreGivenOnce(t *testing.T) {
	const trials, callers = 20, 8
	onBoth(t, func(t *testing.T, source string) {
		nodes := []sqlstore.FaceObjects{open(t, source, patient).FaceObjects(), open(t, source, patient).FaceObjects()}
		winners := func(trial int, put func(node int, o *countersign.FaceObject) error) int {
			var won atomic.Int64
			race(callers, func(n int) {
				err := put(n%2, object("shop", fmt.Sprintf("RK_%d_%d", trial, n), "limit", fmt.Sprintf("VA%d", trial), "ip"))
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, countersign.ErrObjectExists):
					t.Errorf("trial %d: %v", trial, err)
				}
			})
			return int(won.Load())
		}
		for trial := range trials {
			if n := winners(trial, func(node int, o *countersign.FaceObject) error { return nodes[node].Put(context.Background(), o) }); n != 1 {
				t.Fatalf("trial %d: %d got the name, want 1", trial, n)
			}
		}
		caught := 0
		for trial := range trials {
			var looked sync.WaitGroup // a network is as slow as it likes: all look before the first writes
			looked.Add(callers)
			n := winners(trials+trial, func(node int, o *countersign.FaceObject) error {
				list, err := nodes[node].List(context.Background(), o.App, o.Kind, o.Parent)
				looked.Done()
				looked.Wait()
				if err != nil {
					return err
				}
				if len(list) > 0 {
					return countersign.ErrObjectExists
				}
				o.Name = o.SID // no index stands in the way of the naive writer
				return nodes[node].Put(context.Background(), o)
			})
			if n > 1 {
				caught++
			}
		}
		if caught != trials {
			t.Errorf("the control gave a name twice in %d of %d trials", caught, trials)
		}
	})
}
