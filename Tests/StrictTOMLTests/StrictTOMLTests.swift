import TestSupport
import Testing

@testable import StrictTOML

/// A file with a key of each form.
private struct File: TOMLSection {
    enum Precision: String, CaseIterable { case f32, auto }
    enum Field: String, CaseIterable { case images, digests }

    struct Images: TOMLSection {
        @Key(required: "folder", .text, example: "photos", "Where the photos are.")
        var folder: String
        @Key("max_pixels", .integer(1...100), "How large a photo may be.")
        var maxPixels = 50
        @Key("share", .number(0...1), "A share.")
        var share = 0.5
        @Key("extensions", .texts, "Endings.")
        var extensions: [String] = []
        @Key("links", .boolean, "Links.")
        var links = false
        @Key("settle_ms", .milliseconds(0...1000), "A time.")
        var settle: Duration = .milliseconds(50)
    }

    struct Model: TOMLSection {
        @Key("precision", .choice, "A word.")
        var precision = Precision.f32
        @Key("fields", .choices(), "Words.")
        var fields: Set<Field> = []
        @Key("mean", .numbers(count: 3...3), "Numbers.")
        var mean: [Double] = [0, 0, 0]
        @Key("side", .optional(.integer(1...9)), "A number that may be missing.")
        var side: Int? = nil
        @Key("colour", .written, "A type of its own.")
        var colour = Colour.red
    }

    struct List: TOMLSection {
        @Key(required: "name", .text, example: "similar", "Its name.")
        var name: String
        @Key("count", .integer(1...9), "Its length.")
        var count = 5
        @Table("rank") var rank: Rank

        struct Rank: TOMLSection {
            @Key("by", .text, "Its order.")
            var by = "looks"
        }
    }

    @Key("version", .integer(1...2), "Outside of all tables.")
    var version = 1
    @Table("images") var images: Images
    @Table("model") var model: Model
    @Tables("list") var lists: [List]
}

/// Two words, of which one is refused with a reason.
private struct Colour: TextValue {
    let description: String

    static let red = Colour(description: "red")
    static let expected = "a colour"

    private init(description: String) { self.description = description }

    init(tomlText text: String) throws(ValueObjection) {
        guard text != "mauve" else { throw ValueObjection("nobody knows that one") }
        guard ["red", "blue"].contains(text) else { throw ValueObjection() }
        description = text
    }
}

@Suite("Strict TOML")
struct StrictTOMLTests {
    private func read(_ text: String) throws(TOMLError) -> File { try File(toml: text, file: "a.toml") }

    @Test("gives each value to its property")
    func values() throws {
        let file = try read(
            """
            version = 2
            [images]
            folder = "x"
            max_pixels = 7
            share = 1
            extensions = ["a", "b"]
            links = true
            settle_ms = 1_000
            [model]
            precision = "auto"
            fields = ["digests", "images"]
            mean = [1, 2.5, 3]
            side = 4
            colour = "blue"
            [[list]]
            name = "similar"
            [[list]]
            name = "cheaper"
            count = 3
            rank.by = "price"
            """)
        #expect(file.version == 2)
        #expect(file.images.folder == "x")
        #expect(file.images.maxPixels == 7)
        #expect(file.images.share == 1)
        #expect(file.images.extensions == ["a", "b"])
        #expect(file.images.links)
        #expect(file.images.settle == .seconds(1))
        #expect(file.model.precision == .auto)
        #expect(file.model.fields == [.images, .digests])
        #expect(file.model.mean == [1, 2.5, 3])
        #expect(file.model.side == 4)
        #expect(file.model.colour.description == "blue")
        #expect(file.lists.map(\.name) == ["similar", "cheaper"])
        #expect(file.lists.map(\.count) == [5, 3])
        #expect(file.lists.map(\.rank.by) == ["looks", "price"])
    }

    @Test("knows of each value the line and the column that it stands at, and of a default neither")
    func places() throws {
        var file = try read(
            """
            [images]
              folder = "x"
            [model]
            mean = [
                1, 2,
                3 ]
            [[list]]
            name = "similar"
            """)
        #expect(file.images.$folder.place == TOMLPlace(line: 2, column: 3))
        #expect(file.images.$maxPixels.place == nil)
        #expect(file.model.$mean.place?.line == 4)
        #expect(file.lists[0].$name.place?.line == 8)
        file.images.folder = "y"
        #expect(file.images.$folder.place == nil)
    }

    @Test("lists all keys in their order, with what is said of each and the value that it has")
    func keys() throws {
        let file = try read("[images]\nfolder = \"x\"\nmax_pixels = 7\n[[list]]\nname = \"n\"")
        #expect(
            file.keys.map(\.dotted) == [
                "version", "images.folder", "images.max_pixels", "images.share", "images.extensions",
                "images.links", "images.settle_ms", "model.precision", "model.fields", "model.mean",
                "model.side", "model.colour", "list.name", "list.count", "list.rank.by",
            ])
        let pixels = try #require(file.keys.first { $0.dotted == "images.max_pixels" })
        #expect(pixels.value?.literal == "7")
        #expect(pixels.definition.standard?.literal == "50")
        #expect(pixels.definition.expected == "a whole number from 1 to 100")
        #expect(pixels.definition.explanation == "How large a photo may be.")
        #expect(file.keys.first { $0.dotted == "model.side" }?.value == nil)
    }

    @Test("what a value is written as is read as that value", arguments: [1, 2, 3])
    func roundTrip(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        func pick(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }
        let texts = ["", "a", "\"", "\\", "\n", "\u{1}", "ü", "日本", "\u{7F}", "\r\n", "'", "#"]
        for _ in 0..<200 {
            var file = File()
            func text() -> String { (0..<pick(6)).map { _ in texts[pick(texts.count)] }.joined() }
            file.images.folder = text()
            file.images.maxPixels = 1 + pick(100)
            file.images.share = Double(pick(1_000_001)) / 1_000_000
            file.images.extensions = (0..<pick(4)).map { _ in text() }
            file.images.links = pick(2) == 0
            file.images.settle = .milliseconds(pick(1001))
            file.model.precision = pick(2) == 0 ? .f32 : .auto
            file.model.fields = [[], [.images], [.digests], [.images, .digests]][pick(4)]
            file.model.mean = (0..<3).map { _ in Double(pick(2_000_001) - 1_000_000) / 1e5 }
            file.model.side = pick(2) == 0 ? nil : 1 + pick(9)
            let written = file.keys.compactMap { key in key.value.map { "\(key.dotted) = \($0.literal)" } }
            #expect(try read(written.joined(separator: "\n")) == file)
        }
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
                "[images]\nfolder = \"x\"\nmodel.precision = \"f32\"",
                "a.toml:3: unknown key images.model. Did you mean [model]?"
            ),
            ("folder = \"x\"", "a.toml:1: unknown key folder. Did you mean images.folder?"),
            (
                "[images]\nfolder = \"x\"\nprecision = \"f32\"",
                "a.toml:3: unknown key images.precision. Did you mean model.precision?"
            ),
            (
                "[images]\nfolder = \"x\"\n[[list]]\nname = \"n\"\n[[list]]\nname = \"m\"\ncuont = 3",
                "a.toml:7: unknown key list.cuont. Did you mean list.count?"
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
                "images = { folder = \"x\",\n share = 2 }",
                "a.toml:1:25: this is not TOML"
            ),
            (
                "images = { folder = \"x\", \"share\" = 2 }",
                "a.toml:1: images.share must be a number from 0.0 to 1.0, not 2"
            ),
            (
                "[images]\nfolder = \"x\"\n[model]\nprecision = \"f16\"",
                "a.toml:4: model.precision must be \"f32\" or \"auto\", not the text \"f16\""
            ),
            (
                "[images]\nfolder = \"x\"\n[model]\nfields = [\"image\"]",
                "a.toml:4: model.fields must be a list of \"images\" and \"digests\", not a list of 1"
            ),
            (
                "[images]\nfolder = \"x\"\n[model]\nmean = [1, 2]",
                "a.toml:4: model.mean must be a list of 3 numbers, not a list of 2"
            ),
            (
                "[images]\nfolder = \"x\"\n[model]\ncolour = \"green\"",
                "a.toml:4: model.colour must be a colour, not the text \"green\""
            ),
            (
                "[images]\nfolder = \"x\"\n[model]\ncolour = \"mauve\"",
                "a.toml:4: model.colour must be a colour, not the text \"mauve\": nobody knows that one"
            ),
            (
                "[images]\nfolder = 1979-05-27",
                "a.toml:2: images.folder must be text in quotes, not a date or time"
            ),
            (
                "[images]\nfolder = \"a\\u0000b\"",
                "a.toml:2: images.folder must be text in quotes, not the text \"a\u{0}b\": the character U+0000"
            ),
            (
                "[images]\nfolder = \"x\"\n[model]\nmean = [1, inf, 2]",
                "a.toml:4: model.mean must be a list of 3 numbers, not a list of 3"
            ),
            ("images = 3", "a.toml:1: images must be a table, written [images], not 3"),
            (
                "[images]\nfolder = \"x\"\n[list]\nname = \"n\"",
                "a.toml:3: list must be tables, each written [[list]], not a table"
            ),
            (
                "list = [1]\n[images]\nfolder = \"x\"",
                "a.toml:1: list must be tables, each written [[list]], not 1"
            ),
            (
                "[images]\nfolder = \"x\"\n[[list]]",
                "a.toml:3: list.name is missing and has no default. Add it."
            ),
            ("[images]\nextensions = []", "a.toml:1: images.folder is missing"),
            ("\"\u{e9}\" = 1\n\"e\u{301}\" = 2", "a.toml:1: unknown key \u{e9}"),
            ("[model]", "a.toml: images.folder is missing and has no default. Add it."),
        ])
    func errors(text: String, message: String) {
        #expect { try read(text) } throws: { "\($0)".hasPrefix(message) }
    }

    @Test("counts lines that end as Windows ends them")
    func windows() {
        #expect {
            try read("[images]\r\nfolder = \"x\"\r\nmax_pixel = 3\r\n")
        } throws: { "\($0)".hasPrefix("a.toml:3:") }
    }

    @Test(
        "says where the syntax breaks",
        arguments: [
            ("[images]\nfolder = ", "a.toml:2:"), ("a = 1\na = 2", "a.toml:2:"), ("[images\n", "a.toml:1:"),
            ("[images]\nfolder = \"x\"\n[é]\nb = 1", "a.toml:3:"), ("[.", "a.toml:1:"),
            ("[images]\nfolder = \"p\"\n[[\n", "a.toml:3:"),
            ("a = \"\u{0}\"", "a.toml:1:"), (String(repeating: "[", count: 100_000), "a.toml:1:"),
            ("a = \(String(repeating: "[", count: 100_000))", "a.toml:1:"),
            ("\n[a\(String(repeating: ".a", count: 100_000))]", "a.toml:2:"),
            ("b = \"\"\"\n#\"\"\"\"\n\(String(repeating: " . 'a'", count: 100_000)) = 1", "a.toml:3:"),
            ("b = 1\na\(String(repeating: ".a", count: 80)) = 1", "a.toml:2:"),
            (
                "b = 1\nc = \(String(repeating: "[", count: 80))\(String(repeating: "]", count: 80))",
                "a.toml:2:"
            ),
        ])
    func syntax(text: String, place: String) {
        #expect { try read(text) } throws: { "\($0)".hasPrefix(place) && "\($0)".contains("not TOML") }
    }

    @Test("text, numbers and comments may have as many dots as they like")
    func dots() throws {
        let dots = String(repeating: ".", count: 100)
        let numbers = String(repeating: "1.5, ", count: 100)
        let text = """
            # \(dots) "
            [images]
            folder = "\\"\(dots)" # '\(dots)
            extensions = ['''
            '\(dots)" # \(dots)'''']
            [model]
            mean = [ 1.5, # \(dots)
            2.5, 3.5 ]
            """
        #expect(try read(text).images.folder == "\"\(dots)")
        // As many as a list may have, for all that it is the wrong one here.
        #expect { try read("images.folder = [\(numbers)]") } throws: { !"\($0)".contains("dots") }
    }
}
