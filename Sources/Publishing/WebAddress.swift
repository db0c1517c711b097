/// Paths as addresses have them.
enum WebAddress {
    /// Bytes that are not unreserved characters or `/` become `%` and two digits (RFC 3986).
    static func encoded(_ bytes: some Sequence<UInt8>) -> String {
        var text = ""
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "/"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return text
    }

    /// The address of one folder as seen from a page in another, ending in `/`. Both paths are absolute.
    static func relative(from page: String, to folder: String) -> String {
        let from = page.split(separator: "/")
        let to = folder.split(separator: "/")
        var shared = 0
        while shared < min(from.count, to.count), from[shared] == to[shared] { shared += 1 }
        let path = Array(repeating: "..", count: from.count - shared) + to[shared...].map(String.init)
        return encoded((path.isEmpty ? "." : path.joined(separator: "/")).utf8) + "/"
    }
}
