import Testing

@testable import StrictTOML

@Suite("Strict TOML")
struct StrictTOMLTests {
    private static let schema: [TOMLKey] = [
        TOMLKey("images", "folder", .string, isRequired: true),
        TOMLKey("images", "max_pixels", .integer(1...100)),
        TOMLKey("images", "share", .number(0...1)),
        TOMLKey("images", "extensions", .strings),
        TOMLKey("model", "precision", .choice(["f32", "auto"])),
        TOMLKey("model", "mean", .numbers(count: 3...3)),
    ]

    private func parse(_ text: String) throws(TOMLError) -> TOMLDocument {
        try TOMLDocument(text, file: "a.toml", schema: Self.schema)
    }

    @Test("gives each value under its key")
    func values() throws {
        let document = try parse(
            """
            [images]
            folder = "x"
            max_pixels = 7
            share = 1
            extensions = ["a", "b"]
            [model]
            precision = "auto"
            mean = [1, 2.5, 3]
            """)
        #expect(document.string("images", "folder") == "x")
        #expect(document.integer("images", "max_pixels") == 7)
        #expect(document.number("images", "share") == 1)
        #expect(document.strings("images", "extensions") == ["a", "b"])
        #expect(document.string("model", "precision") == "auto")
        #expect(document.numbers("model", "mean") == [1, 2.5, 3])
    }

    @Test(
        "names the file, the line and what would be right",
        arguments: [
            (
                "[images]\nfolder = \"x\"\nmax_pixel = 3",
                "a.toml:3: unknown key images.max_pixel. Did you mean images.max_pixels?"
            ),
            ("[images]\nfolder = \"x\"\n[modle]\n", "a.toml:3: unknown key [modle]. Did you mean [model]?"),
            (
                "[images]\nfolder = \"x\"\nprecision = \"f32\"",
                "a.toml:3: unknown key images.precision. Did you mean model.precision?"
            ),
            ("[images]\n\nfolder = 5", "a.toml:3: images.folder must be text in quotes, not 5"),
            (
                "[images]\nfolder = \"x\"\nmax_pixels = 101",
                "a.toml:3: images.max_pixels must be a whole number from 1 to 100, not 101"
            ),
            (
                "images.folder = \"x\"\nimages.share = \"y\"",
                "a.toml:2: images.share must be a number from 0.0 to 1.0, not the text \"y\""
            ),
            (
                "[images]\nfolder = \"x\"\n[model]\nprecision = \"f16\"",
                "a.toml:4: model.precision must be \"f32\" or \"auto\", not the text \"f16\""
            ),
            (
                "[images]\nfolder = \"x\"\n[model]\nmean = [1, 2]",
                "a.toml:4: model.mean must be a list of 3 numbers, not a list of 2"
            ),
            ("images = 3", "a.toml:1: images must be a table, written [images], not 3"),
            ("[model]", "a.toml: images.folder is missing and has no default. Add it."),
        ])
    func errors(text: String, message: String) {
        #expect { try parse(text) } throws: { "\($0)" == message }
    }

    @Test("counts lines that end as Windows ends them")
    func windows() {
        #expect {
            try parse("[images]\r\nfolder = \"x\"\r\nmax_pixel = 3\r\n")
        } throws: { "\($0)".hasPrefix("a.toml:3:") }
    }

    @Test("tells where the syntax breaks")
    func syntax() {
        #expect { try parse("[images]\nfolder = ") } throws: { "\($0)".hasPrefix("a.toml:2:") }
    }
}
