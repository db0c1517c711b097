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
        #expect(settings.imagesFolder == "/etc/shop/photos")
        #expect(settings.outputFolder == "/srv/out")
        #expect(settings.stateFolder == "/var/lib/imgrec-agent")
        #expect(settings.recommendationCount == 5)
        #expect(settings.models == [ModelChoice(name: "efficientnet-lite0", weight: 1)])
        #expect(settings.modelPrecision == "f32")
        #expect(settings.modelFolder == nil)
        #expect(settings.imageExtensions.contains("jpg"))
        #expect(settings.maxFileBytes == 67_108_864)
        #expect(settings.maxPixels == 100_000_000)
        #expect(settings.massRemovalLimit == 0.5)
        #expect(settings.effectiveThreads >= 1)
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
        #expect(written.imagesFolder == "/a \"b\"\\c\n")
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
            ("/a/../b", "/b", "/s"),
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
        #expect(try Settings(text, file: "/x.toml").outputFolder == "/shop/photos-out")
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
        } throws: { "\($0)".contains("images.product_pattern is no regular expression") }
        #expect {
            try Settings(Self.minimal + "\n[model]\nname = \"../x\"", file: "/x.toml")
        } throws: { "\($0)".contains("model.name") }
    }
}
