import Foundation
import TestSupport
import Testing

@testable import Settings

@Suite("Settings")
struct SettingsTests {
    private static let minimal = """
        [images]
        folder = "photos"
        [output]
        folder = "/srv/out"
        """

    @Test("two keys are enough; the rest has defaults")
    func defaults() throws {
        let settings = try Settings(Self.minimal, file: "/etc/shop/a.toml")
        #expect(settings.images.folder == "/etc/shop/photos")
        #expect(settings.output.folder == "/srv/out")
        #expect(settings.state.folder == "/var/lib/imgrec-agent")
        #expect(settings.recommendations.count == 5)
        #expect(settings.models == [ModelChoice(name: "efficientnet-lite0", weight: 1)])
        #expect(settings.model.precision == .f32)
        #expect(settings.model.folder == nil)
        #expect(settings.images.extensions.contains("jpg"))
        #expect(settings.images.maxFileBytes == 67_108_864)
        #expect(settings.images.maxPixels == 100_000_000)
        #expect(settings.images.massRemovalLimit == 0.5)
        #expect(settings.effectiveThreads >= 1)
    }

    @Test(
        "a file that cannot be read is an error with its reason, whichever call fails, and one that comes in parts is whole"
    )
    func faults() throws {
        let folder = try TemporaryFolder()
        let text = Self.minimal + "\n" + String(repeating: "# a comment\n", count: 20_000)
        try folder.write("shop.toml", Array(text.utf8))
        let file = "\(folder.path)/shop.toml"
        let whole = try Settings(file: file)
        var injected = 0
        for fault: FailingFiles.Fault in [
            .errno(EIO), .errno(EMFILE), .errno(EACCES), .errno(ESTALE), .short,
        ] {
            var call = 1
            while true {
                let files = FailingFiles(
                    fault, at: call, isLasting: false, of: FailingFiles.kinds(of: fault))
                do throws(SettingsError) {
                    #expect(try Settings(file: file, files: files) == whole)
                    if case .short = fault {} else { #expect(files.injected.isEmpty) }
                } catch {
                    #expect(error.description.contains(file) && error.description.contains("\(fault)"))
                }
                if files.injected.isEmpty { break }
                (call, injected) = (call + 1, injected + 1)
            }
            #expect(call > 1)
        }
        print("settings: \(injected) faults injected")
    }

    @Test("the file in Config is the one that init writes")
    func configFile() throws {
        let file = try String(contentsOfFile: "\(Repository.root)/Config/imgrec-agent.toml", encoding: .utf8)
        #expect(
            file == SettingsTemplate.text(),
            "write it anew: imgrec-agent init --force --config Config/imgrec-agent.toml")
    }

    @Test("the file that init writes says what the defaults are")
    func template() throws {
        let text = SettingsTemplate.text(images: "/a \"b\"\\c\n", output: "/o", state: "/s")
        let written = try Settings(text, file: "/x.toml")
        #expect(written.images.folder == "/a \"b\"\\c\n")
        // Every key, uncommented, has the value that it has when it is left out.
        let uncommented = text.split(separator: "\n").map { line in
            line.wholeMatch(of: /# ([a-z_]+ = .*)/).map { String($0.1) } ?? String(line)
        }.joined(separator: "\n")
        #expect(uncommented != text)
        #expect(try Settings(uncommented, file: "/x.toml") == written)
    }

    @Test(
        "folders that lie in each other are refused",
        arguments: [
            ("/a", "/a/b", "/s"), ("/a/b", "/a", "/s"), ("/a", "/b", "/b/c"), ("/a", "/b", "/a"),
            ("/a/../b", "/b", "/s"), ("/", "/b", "/s"), ("/a", "/", "/s"), ("/a", "/b", "/"),
        ])
    func overlap(images: String, output: String, state: String) {
        let text = SettingsTemplate.text(images: images, output: output, state: state)
        #expect {
            try Settings(text, file: "/x.toml")
        } throws: {
            if case .overlappingFolders = $0 as? SettingsError { true } else { false }
        }
    }

    @Test("a link does not hide that folders lie in each other")
    func linkedOverlap() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(
            atPath: "\(folder.path)/photos", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder.path)/link", withDestinationPath: "photos")
        let text = SettingsTemplate.text(
            images: "\(folder.path)/photos", output: "\(folder.path)/link/new/out", state: "\(folder.path)/s")
        #expect(throws: SettingsError.self) { try Settings(text, file: "/x.toml") }
    }

    @Test("a folder beside one with a longer name is not inside it")
    func similarNames() throws {
        let text = SettingsTemplate.text(images: "/shop/photos", output: "/shop/photos-out", state: "/shop/p")
        #expect(try Settings(text, file: "/x.toml").output.folder == "/shop/photos-out")
    }

    @Test("settings that would silently do nothing are refused")
    func ineffective() throws {
        func settings(_ line: String) throws -> Settings {
            try Settings("[images]\nfolder = \"a\"\n\(line)\n[output]\nfolder = \"b\"", file: "/x.toml")
        }
        for line in [
            "product_pattern = '^[a-z]+'", "product_pattern = '(?:a)\\('", "extensions = ['.jpg']",
            "extensions = ['']",
        ] {
            #expect(throws: SettingsError.self, "\(line)") { try settings(line) }
        }
        for line in [
            "product_pattern = '^([a-z]+)'", "product_pattern = '(?<sku>.*)-[0-9]'",
            "product_pattern = 'x\\((a)'",
        ] {
            #expect(throws: Never.self, "\(line)") { try settings(line) }
        }
    }

    @Test("errors have a remedy")
    func errors() {
        let missing = "/nowhere/a.toml"
        #expect { try Settings(file: missing) } throws: {
            "\($0)".contains("imgrec-agent init --config \(missing)")
        }
        #expect {
            try Settings(Self.minimal + "\n[images2]", file: "/x.toml")
        } throws: { "\($0)".contains("/x.toml:5: unknown key [images2]. Did you mean [images]?") }
        #expect {
            try Settings(
                "[images]\nfolder = \"a\"\nproduct_pattern = \"(\"\n[output]\nfolder = \"b\"", file: "/x.toml"
            )
        } throws: {
            "\($0)".hasPrefix(
                "/x.toml:3: images.product_pattern must be a regular expression with a group that captures the product, not the text \"(\": "
            )
        }
    }

    @Test(
        "a value that means nothing is refused with its line and with what would be right",
        arguments: [
            (
                "[model]\nname = \"../x\"",
                "/x.toml:6: model.name must be the name of a model's folder, not the text \"../x\""
            ),
            (
                "[embedding]\nmodels = [\"a\", \".b\"]",
                "/x.toml:6: embedding.models must be a list of names of models' folders, not a list of 2: \".b\""
            ),
            (
                "[embedding]\nmodels = [\"a\"]\nweights = [1.0, 2.0]",
                "/x.toml:7: embedding.weights must have a number from 0.001 to 1000 for each model of embedding.models, which has 1"
            ),
            (
                "[picture]\nbackground = \"white\"",
                "/x.toml:6: picture.background must be a colour such as \"#ffffff\", not the text \"white\""
            ),
            (
                "[publish]\nhook = [\"rebuild\"]",
                "/x.toml:6: publish.hook must be a program's absolute path and its arguments, such as [\"/usr/local/bin/rebuild-site\"], not a list of 1: \"rebuild\" is no absolute path"
            ),
            (
                "[state]\nfolder = \"/srv/out/state\"",
                "/x.toml:4: output.folder (/srv/out) and state.folder (/srv/out/state) must be apart, neither inside the other. Move one of them."
            ),
        ])
    func wrongValues(lines: String, message: String) {
        #expect {
            try Settings(Self.minimal + "\n" + lines, file: "/x.toml")
        } throws: { "\($0)" == message }
    }

    @Test("folders that are not set follow the state folder, as systemd pairs them")
    func pairs() throws {
        func settings(_ lines: String) throws -> Settings {
            try Settings(Self.minimal + "\n" + lines, file: "/etc/shop/a.toml")
        }
        let usual = try settings("")
        #expect(usual.runtimeFolder == "/run/imgrec-agent")
        #expect(usual.cacheFolder == "/var/cache/imgrec-agent")
        let own = try settings("[state]\nfolder = \"s\"")
        #expect(own.runtimeFolder == "/etc/shop/s")
        #expect(own.cacheFolder == "/etc/shop/s/cache")
        let set = try settings("[runtime]\nfolder = \"r\"\n[cache]\nfolder = \"none\"")
        #expect(set.runtimeFolder == "/etc/shop/r")
        #expect(set.cacheFolder == nil)
    }

    // MARK: What is said of settings

    @Test("a report has every setting with its value, and says where that comes from")
    func report() throws {
        let settings = try Settings(Self.minimal + "\nfields = [\"digests\"]", file: "/etc/shop/a.toml")
        let report = SettingsReport(settings, file: "a.toml")
        #expect(report.settings.map(\.key) == settings.keys.map(\.dotted))
        func entry(_ key: String) throws -> SettingsReport.Entry {
            try #require(report.settings.first { $0.key == key })
        }
        let (folder, fields, count) = (
            try entry("images.folder"), try entry("output.fields"), try entry("recommendations.count")
        )
        #expect((folder.value, folder.origin, folder.line) == (.string("/etc/shop/photos"), .file, 2))
        #expect((fields.value, fields.origin, fields.line) == (.strings(["digests"]), .file, 5))
        #expect((count.value, count.origin, count.line) == (.integer(5), .standard, nil))
        #expect(try entry("runtime.folder").value == .string("/run/imgrec-agent"))

        // Read as a settings file it says the same.
        var again = try Settings(report.text, file: "/elsewhere/b.toml")
        again.runtime.folder = nil
        again.cache.folder = .usual
        #expect(again == settings)
    }

    @Test("the page about settings is the one that the program makes")
    func reference() throws {
        let page = try String(
            contentsOfFile: "\(Repository.root)/Docs/reference/settings.md", encoding: .utf8)
        #expect(
            page == SettingsReference.markdown,
            "write it anew: imgrec-agent settings --markdown >Docs/reference/settings.md")
    }
}
