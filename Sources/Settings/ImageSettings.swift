import Products
import StrictTOML

extension Settings {
    /// The photos.
    package struct Images: TOMLSection {
        @Key(
            required: "folder", .path, example: "/srv/shop/photos",
            "The folder with the product photos, including all folders below it. It is only read.")
        package var folder: String
        @Key(
            "extensions", .endings,
            "Files with these extensions, in upper or lower case, are photos; others are skipped, as are "
                + "names that begin with a dot. The format of a photo is detected from its content.")
        package var extensions = ["jpg", "jpeg", "png", "webp", "avif", "heic", "heif", "gif"]
        @Key(
            "exclude", .texts,
            "Globs of files and folders to skip. A glob with a slash is matched against the path below "
                + "images.folder, one without against the name: \"drafts\", \"*-thumb.*\", \"archive/20*\".")
        package var excludes = ["~$*", "@eaDir", "#recycle", "lost+found", "__MACOSX"]
        @Key(
            "follow_links", .boolean,
            "Whether symbolic links to photos inside the folder count as photos. Links to folders, and links "
                + "out of the folder, never do. If true, the whole folder is compared after every change.")
        package var followsLinks = false
        @Key(
            "max_file_bytes", .integer(1...1 << 40), redoes: .failures,
            "A larger file is not read but recorded as failed.")
        package var maxFileBytes = 64 << 20
        @Key(
            "max_pixels", .integer(1...1 << 40), redoes: .failures,
            "A photo with more pixels (width x height) is not decoded but recorded as failed.")
        package var maxPixels = 100_000_000
        @Key(
            "max_frames", .integer(1...1 << 30), redoes: .failures,
            "The first frame of an animation counts. An animation with more frames than this is recorded as "
                + "failed.")
        package var maxFrames = 1000
        @Key(
            "max_profile_bytes", .integer(0...1 << 30), redoes: .failures,
            "A photo with a larger colour profile is recorded as failed.")
        package var maxProfileBytes = 8 << 20
        @Key(
            "max_metadata_bytes", .integer(0...1 << 30), redoes: .failures,
            "A photo with a single larger piece of other metadata (EXIF, XMP, comments) is recorded as "
                + "failed.")
        package var maxMetadataBytes = 8 << 20
        @Key(
            "product_pattern", .written, redoes: .grouping,
            "Which photos belong to one product. Empty: those whose paths differ only in the extension. "
                + "Otherwise a regular expression; the product is what its first group captures of the path. "
                + "For example, '^(.*?)(-[0-9]+)?[.][a-z]+$' makes sku-1.jpg and sku-2.jpg photos of "
                + "\"sku\".")
        package var productPattern = ProductPattern.none
        @Key(
            "mass_removal_limit", .number(0...1),
            "If more than this share of the products would vanish at once, as when a disk is not mounted, "
                + "nothing is removed until you run 'imgrec-agent reconcile --allow-mass-removal'. 1 "
                + "switches this off.")
        package var massRemovalLimit = 0.5

        package init() {}
    }

    /// When the folder is looked at.
    package struct Watch: TOMLSection {
        @Key(
            "settle_ms", .milliseconds(1...60_000),
            "How long the photos of a changed product must be left alone before the agent looks at them, in "
                + "milliseconds.")
        package var settle: Duration = .milliseconds(50)
        @Key(
            "settle_limit_ms", .milliseconds(1...600_000),
            "The agent looks at them at most this long after the first change, in milliseconds.")
        package var settleLimit: Duration = .milliseconds(2000)
        @Key(
            "reconcile_minutes", .minutes(1...10_080),
            "How often the whole folder is compared, in case a change was not reported. Unchanged photos are "
                + "not read.")
        package var reconcileInterval: Duration = .seconds(60 * 60)
        @Key(
            "poll_seconds", .seconds(1...86_400),
            "How often folders that cannot be watched are compared: those on network file systems, and those "
                + "for which the kernel allows no more watches.")
        package var pollInterval: Duration = .seconds(30)

        package init() {}
    }
}

extension ValueForm where Value == [String] {
    /// Endings of file names, in lower case.
    fileprivate static var endings: Self {
        texts.checked(expected: "a list of endings without their dot, such as \"jpg\"") {
            endings throws(ValueObjection) in
            let marks = [UInt8(ascii: "."), UInt8(ascii: "/")]
            if let wrong = endings.first(where: { $0.isEmpty || $0.utf8.contains(where: marks.contains) }) {
                throw ValueObjection("\"\(wrong)\"")
            }
            return endings.map { $0.lowercased() }
        }
    }
}

/// A regular expression whose first group captures the product in a photo's path; empty for none.
package struct ProductPattern: TextValue {
    package let description: String

    package static let none = ProductPattern(description: "")

    private init(description: String) { self.description = description }

    package static let expected = "a regular expression with a group that captures the product"

    package init(tomlText text: String) throws(ValueObjection) {
        description = text
        guard !text.isEmpty else { return }
        do { _ = try Regex(text) } catch { throw ValueObjection("\(error)") }
        // A group is an opening bracket that no backslash precedes and that is not `(?` but for `(?<name>`.
        guard text.contains(/(?:^|[^\\])\((?!\?(?!<[^=!]))/) else { throw ValueObjection("it has no group") }
    }

    /// The first group of a match is the product; nil where there is no pattern.
    package var regex: Regex<AnyRegexOutput>? {
        guard !description.isEmpty else { return nil }
        do { return try Regex(description) } catch {
            preconditionFailure("a pattern that does not compile is refused when it is read: \(error)")
        }
    }
}
