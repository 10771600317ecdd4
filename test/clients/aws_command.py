"""The aws command line, unmodified, for scripts that give many commands.

A command is a fork of this process, which has loaded the program: it has its
arguments, its output and its end as from a shell, and costs a third of the
second of processor that loading takes each time.
"""

import os
import sys
import tempfile

import awscli.clidriver

awscli.clidriver.create_clidriver()  # loads what a command loads first


def aws(*args):
    """Runs `aws ARGS` and returns its exit status, standard output and error."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            _command(args, out.fileno(), err.fileno())
        _, status = os.waitpid(pid, 0)
        out.seek(0), err.seek(0)
        return os.waitstatus_to_exitcode(status), out.read().decode(), err.read().decode()


def _command(args, out, err):
    status = 255
    try:
        os.dup2(out, 1), os.dup2(err, 2)
        sys.argv = ["aws", *args]
        status = awscli.clidriver.main()
    except SystemExit as e:
        status = e.code or 0
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)


def run(*args):
    """Runs a command that must succeed and returns what it printed."""
    status, out, err = aws(*args)
    assert status == 0, f"aws {' '.join(args)}: {status}\n{out}{err}"
    return out.rstrip("\n")


def fails(code, *args):
    """Runs a command that must fail with a code of the service."""
    status, out, err = aws(*args)
    assert status != 0 and f"({code})" in err, f"aws {' '.join(args)}: {status}, want {code}\n{out}{err}"


def same(got, want):
    assert got == want, f"got {got!r}, want {want!r}"
