package site

import (
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/jobs"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/manifest"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
	"github.com/dayfly-dev/dayfly/task"
)

type importPage struct {
	frame
	Problem string
	Project string
	Names   string
	Limit   int // MiB
}

func (s *Site) importForm(w http.ResponseWriter, r *http.Request) {
	s.showImport(w, r, http.StatusOK, "", "")
}

func (s *Site) showImport(w http.ResponseWriter, r *http.Request, status int, problem, project string) {
	s.render(w, r, status, "import", importPage{frame{Title: "Add a file", Here: "import"}, problem, project, manifest.Names, watch.MaxFile >> 20})
}

// maxForm bounds a request with a file and a project's name, in bytes.
const maxForm = watch.MaxFile + 64<<10

// importFile takes a file. Its size is judged before it is read where the
// browser says it, so that 50 MB get an answer and not a broken connection.
func (s *Site) importFile(w http.ResponseWriter, r *http.Request) {
	tooLarge := func() {
		// The rest of the body is not read; the answer must not wait for it.
		w.Header().Set("Connection", "close")
		s.showImport(w, r, http.StatusRequestEntityTooLarge,
			fmt.Sprintf("The file is larger than %d MiB, the most that is read. Is it the right file? Nothing was imported.", watch.MaxFile>>20), "")
	}
	if r.ContentLength > maxForm {
		drain(r.Body)
		tooLarge()
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	form, err := r.MultipartReader()
	if err != nil {
		s.showImport(w, r, http.StatusBadRequest, "No file came with the form. Choose one.", "")
		return
	}
	name, project, data, err := readForm(form)
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		tooLarge()
		return
	}
	if err == nil && name == "" {
		err = errors.New("no file came with the form: choose one")
	}
	if err != nil {
		s.showImport(w, r, http.StatusBadRequest, sentence(err), project)
		return
	}
	if _, _, err = s.o.Jobs.Take(r.Context(), project, name, data); err != nil {
		if task.IsPermanent(err) {
			s.showImport(w, r, http.StatusUnprocessableEntity, sentence(err), project)
			return
		}
		s.failed(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// drain reads what a browser still sends of a body that is too large, within
// bounds: a browser that is not read from shows no answer.
func drain(body io.Reader) {
	io.Copy(io.Discard, io.LimitReader(body, 64<<20)) //nolint:errcheck // the answer follows in any case
}

// readForm reads the parts "project" and "file".
func readForm(form *multipart.Reader) (name, project string, data []byte, err error) {
	for range 8 {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return name, project, data, nil
		}
		if err != nil {
			return "", project, nil, formError(err)
		}
		switch part.FormName() {
		case "project":
			text, err := io.ReadAll(io.LimitReader(part, 1000))
			if err != nil {
				return "", project, nil, formError(err)
			}
			project = watch.Clip(strings.TrimSpace(string(text)), 200)
		case "file":
			name = part.FileName()
			if data, err = io.ReadAll(io.LimitReader(part, watch.MaxFile+1)); err != nil {
				return "", project, nil, formError(err)
			}
		}
	}
	return "", project, nil, errors.New("the form has too many parts")
}

func formError(err error) error {
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return err
	}
	return errors.New("the form did not arrive whole: send it again")
}

// sentence makes an error a sentence for a page.
func sentence(err error) string {
	s := err.Error()
	if s == "" {
		return s
	}
	return s + ". Nothing was imported."
}

// checkNow asks all registries now, not only at the next hour.
func (s *Site) checkNow(w http.ResponseWriter, r *http.Request) {
	if _, err := s.o.Jobs.CheckPackages.Enqueue(r.Context(), s.o.Jobs.Client, jobs.CheckPackagesArgs{}); err != nil {
		s.failed(w, r, err)
		return
	}
	http.Redirect(w, r, "/?checking=1", http.StatusSeeOther)
}

func (s *Site) deleteProject(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	if err := s.o.DB.DeleteProject(r.Context(), r.PostFormValue("project")); err != nil {
		s.failed(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
