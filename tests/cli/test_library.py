"""libpolygraphy as programs meet it: installed, linked through its .pc file, shared and static; its symbols; its docs."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import ROOT, Case, relu_model

HEADER = ROOT / "include" / "polygraphy.h"
EXAMPLES = ("compare_runtimes", "print_model", "convert_results")


def declared():
    return set(re.findall(r"\b(polygraphy_[a-z0-9_]+)\(", HEADER.read_text()))


def flags_of(pc, static=False):
    """Compiler and linker words of a .pc file; by pkg-config where there is one."""
    folder = str(pc.parent)
    if shutil.which("pkg-config"):
        words = ["pkg-config", "--cflags", "--libs"] + (["--static"] if static else []) + ["polygraphy"]
        out = subprocess.run(words, env={**os.environ, "PKG_CONFIG_PATH": folder, "PKG_CONFIG_ALLOW_SYSTEM_LIBS": "1"},
                             capture_output=True, text=True, check=True).stdout
        return out.split()
    variables, fields = {}, {}
    for line in pc.read_text().splitlines():
        if re.match(r"\w+=", line):
            name, _, value = line.partition("=")
            variables[name] = re.sub(r"\$\{(\w+)\}", lambda m: variables[m[1]], value)
        elif ":" in line:
            name, _, value = line.partition(":")
            fields[name] = re.sub(r"\$\{(\w+)\}", lambda m: variables[m[1]], value).strip()
    private = fields["Libs.private"].split() if static else []
    return fields["Cflags"].split() + fields["Libs"].split() + private


class Installed(unittest.TestCase):
    """One installation for all tests."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="pg-lib-")
        cls.prefix = Path(cls.folder.name) / "prefix"
        words = ["make", "-s", "install", f"PREFIX={cls.prefix}"]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"make install failed:\n{done.stdout}{done.stderr}")
        cls.pc = cls.prefix / "lib" / "pkgconfig" / "polygraphy.pc"

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def compile(self, source, out, static=False, compiler="gcc"):
        flags = flags_of(self.pc, static)
        if static:
            flags = [str(self.prefix / "lib" / "libpolygraphy.a") if f == "-lpolygraphy" else f for f in flags]
        done = subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-o", str(out), str(source), *flags],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def execute(self, program, *words, rc=0):
        env = {**os.environ, "LD_LIBRARY_PATH": str(self.prefix / "lib")}
        done = subprocess.run([str(program), *map(str, words)], env=env, capture_output=True, text=True, check=False,
                              timeout=120)
        self.assertEqual(done.returncode, rc, f"{program}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    # ---- The installation ----

    def test_everything_is_in_place(self):
        for name in ("bin/polygraphy", "include/polygraphy.h", "lib/libpolygraphy.a", "lib/libpolygraphy.so.1",
                     "lib/pkgconfig/polygraphy.pc", "share/bash-completion/completions/polygraphy",
                     "share/zsh/site-functions/_polygraphy", "share/fish/vendor_completions.d/polygraphy.fish"):
            self.assertTrue((self.prefix / name).exists(), name)
            self.assertGreater((self.prefix / name).stat().st_size, 0, name)
        pages = self.execute(self.prefix / "bin" / "polygraphy", "--dump-man").split()
        installed = {page.stem for page in (self.prefix / "share/man/man1").iterdir()}
        self.assertEqual(installed, set(pages))
        self.assertIn("polygraphy-run", installed)
        self.assertIn("Polygraphy | Version", self.execute(self.prefix / "bin" / "polygraphy", "--version"))

    def test_destdir_is_not_in_the_files(self):
        with tempfile.TemporaryDirectory() as root:
            subprocess.run(["make", "-s", "install", f"DESTDIR={root}", "PREFIX=/usr"], cwd=ROOT, check=True,
                           capture_output=True)
            self.assertTrue((Path(root) / "usr/bin/polygraphy").exists())
            text = (Path(root) / "usr/lib/pkgconfig/polygraphy.pc").read_text()
            self.assertIn("prefix=/usr\n", text)
            self.assertNotIn(root, text)
            subprocess.run(["make", "-s", "uninstall", f"DESTDIR={root}", "PREFIX=/usr"], cwd=ROOT, check=True,
                           capture_output=True)
            self.assertEqual([p for p in Path(root).rglob("*") if not p.is_dir()], [])

    # ---- Symbols ----

    def test_symbols_are_the_headers_functions(self):
        library = self.prefix / "lib" / "libpolygraphy.so.1"
        out = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
        found = {line.split()[2] for line in out.splitlines() if line.split()[1] != "A"}
        self.assertEqual(found, {f"{name}@@POLYGRAPHY_1" for name in declared()})
        out = subprocess.run(["objdump", "-p", library], capture_output=True, text=True, check=True).stdout
        self.assertIn("SONAME               libpolygraphy.so.1", out)

    def test_the_static_library_has_no_other_symbols(self):
        out = subprocess.run(["nm", "-g", "--defined-only", self.prefix / "lib" / "libpolygraphy.a"],
                             capture_output=True, text=True, check=True).stdout
        self.assertEqual({line.split()[2] for line in out.splitlines() if len(line.split()) == 3}, declared())

    def test_the_header_is_c_and_cxx(self):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "use.c"
            source.write_text('#include <polygraphy.h>\nint main(void) { return polygraphy_version()[0] == 0; }\n')
            self.compile(source, Path(folder) / "use")
            self.execute(Path(folder) / "use")
            if shutil.which("g++"):
                source.rename(source.with_suffix(".cc"))
                self.compile(source.with_suffix(".cc"), Path(folder) / "usexx", compiler="g++")
                self.execute(Path(folder) / "usexx")

    # ---- Examples ----

    def test_examples_run(self):
        for static in (False, True):
            with self.subTest(static=static), tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                (folder / "m.onnx").write_bytes(relu_model())
                for example in EXAMPLES:
                    self.compile(ROOT / "examples" / f"{example}.c", folder / example, static)
                self.check_print(folder)
                self.check_convert(folder)
                self.check_compare(folder)

    def check_print(self, folder):
        out = self.execute(folder / "print_model", folder / "m.onnx")
        self.assertIn("x: float32 (1, 3)", out)
        self.assertIn("2 nodes\n    Add                      1\n    Relu                     1\n", out)
        self.assertIn("b: float32 (3)", out)
        self.assertIn("nowhere.onnx", self.execute(folder / "print_model", folder / "nowhere.onnx", rc=1))

    def check_convert(self, folder):
        program = self.prefix / "bin" / "polygraphy"
        self.execute(program, "run", folder / "m.onnx", "--native", "--iterations", "2", "--save-outputs",
                     folder / "a.json")
        out = self.execute(folder / "convert_results", folder / "a.json", folder / "a.json", folder / "b.npz")
        self.assertIn("native-runner", out)
        self.assertIn("y: float32, 3 elements", out)
        self.execute(program, "run", "--load-outputs", folder / "a.json", folder / "b.npz")

    def check_compare(self, folder):
        if not os.environ.get("POLYGRAPHY_ONNXRUNTIME"):
            self.skipTest("needs ONNX Runtime (POLYGRAPHY_ONNXRUNTIME)")
        out = self.execute(folder / "compare_runtimes", folder / "m.onnx")
        self.assertEqual(out.count("pass  iteration"), 3)
        self.assertIn("ONNX Runtime", out)


class ApiDocs(Case):
    def test_the_page_is_what_the_header_says(self):
        page = subprocess.run(["python3", "scripts/api_docs.py"], cwd=ROOT, capture_output=True, text=True, check=True)
        self.assertEqual((ROOT / "docs" / "api.md").read_text(), page.stdout, "run: scripts/api_docs.py > docs/api.md")
        for name in declared():
            self.assertIn(name, page.stdout)

    def test_every_declaration_has_a_comment(self):
        done = subprocess.run(["python3", "scripts/api_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True,
                              check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
