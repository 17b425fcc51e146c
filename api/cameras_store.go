package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// cameraStore is the file that keeps the cameras of clients, with their passwords: nobody but
// the daemon's user may read it.
type cameraStore struct{ name string }

// storedCameras is the file.
type storedCameras struct {
	Version int           `json:"version"`
	Cameras []NamedCamera `json:"cameras"`
}

const storeVersion = 1

// read is empty where there is no file. One that cannot be read in full is an error: cameras
// must not be lost silently.
func (s cameraStore) read() ([]NamedCamera, error) {
	b, err := os.ReadFile(s.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var file storedCameras
	if err == nil {
		file, err = decodeCameras(b)
	}
	if err != nil {
		return nil, fmt.Errorf("read cameras that were added over the API: %w: restore %s from a backup, or move it away to go on without them", err, s.name)
	}
	return file.Cameras, nil
}

// decodeCameras never repeats what is in the file.
func decodeCameras(b []byte) (file storedCameras, err error) {
	if err := json.Unmarshal(b, &struct {
		Version *int `json:"version"`
	}{&file.Version}); err == nil && file.Version > storeVersion {
		return file, fmt.Errorf("version %d was written by a newer captiond", file.Version)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return file, errors.New("it is damaged")
	}
	seen := make(map[string]bool)
	for _, c := range file.Cameras {
		if c.Name == "" || seen[c.Name] {
			return file, errors.New("it is damaged: a camera has no name, or that of another")
		}
		seen[c.Name] = true
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || file.Version != storeVersion {
		return file, errors.New("it is damaged")
	}
	return file, nil
}

// write replaces the file at once: after a crash it is the old one or the new.
func (s cameraStore) write(cameras []NamedCamera) error {
	b, err := json.MarshalIndent(storedCameras{storeVersion, cameras}, "", "  ")
	if err == nil {
		err = s.replace(append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep cameras: %w", err)
	}
	return nil
}

func (s cameraStore) replace(b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(s.name), ".cameras-*") // for the owner alone
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), s.name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(filepath.Dir(s.name))
}

// syncFolder makes a renaming survive a power cut.
func syncFolder(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
