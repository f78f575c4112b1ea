"""trip99's C and C++ libraries as a Conan package, built from these sources by cargo."""

import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.files import copy, load


class Trip99(ConanFile):
    name = "trip99"
    description = "A latency circuit breaker for trading engines"
    license = "MIT OR Apache-2.0"
    url = homepage = "https://github.com/trip99/trip99"
    topics = ("circuit-breaker", "latency", "trading", "quantile", "lock-free")
    package_type = "library"
    settings = "os", "arch"  # cargo builds it, with a C interface: the compiler doesn't matter
    options = {"shared": [True, False]}
    default_options = {"shared": False}
    # The members of cargo's workspace must be there, or it can't be read.
    exports_sources = (
        "Cargo.toml", "Cargo.lock", "build.rs", "build/*", "cbindgen.toml", "src/*", "include/*", "cmake/*", "benches/*",
        "README.md", "LICENSE-*", "cli/Cargo.toml", "cli/src/main.rs", "labels/Cargo.toml", "labels/src/lib.rs",
        "logs/Cargo.toml", "logs/src/lib.rs", "fleet/Cargo.toml", "fleet/src/*",
        "tests/*.rs", "cli/tests/*.rs", "logs/tests/*.rs", "fleet/tests/*.rs",
    )

    def set_version(self):
        manifest = load(self, os.path.join(self.recipe_folder, "Cargo.toml"))
        self.version = re.search(r'^version = "(.*)"', manifest, re.MULTILINE).group(1)

    def validate(self):
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("trip99's C libraries are for Linux")
        builder = self.settings_build.get_safe("arch")
        if self.settings.arch != builder:
            raise ConanInvalidConfiguration(f"cargo builds for {builder}, where it runs, and not for {self.settings.arch}")

    def build(self):
        prefix = os.path.join(self.build_folder, "prefix")
        target = os.path.join(self.build_folder, "cargo")
        self.run(f'sh "{self.source_folder}/cmake/install.sh" --no-tool --prefix "{prefix}" --target-dir "{target}"')

    def package(self):
        prefix = os.path.join(self.build_folder, "prefix")
        copy(self, "*", os.path.join(prefix, "include"), os.path.join(self.package_folder, "include"))
        library = "libtrip99.so*" if self.options.shared else "libtrip99.a"
        copy(self, library, os.path.join(prefix, "lib"), os.path.join(self.package_folder, "lib"))
        copy(self, "LICENSE-*", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        self.cpp_info.libs = ["trip99"]
        self.cpp_info.set_property("cmake_file_name", "trip99")
        self.cpp_info.set_property("cmake_target_name", "trip99::trip99")
        if not self.options.shared:
            self.cpp_info.system_libs = ["util", "rt", "pthread", "m", "dl"]
