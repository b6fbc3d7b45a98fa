// SPDX-License-Identifier: Apache-2.0

package import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOSSL
package import Primitives

/// The address of the API server, and the credentials of this program.
package struct APIEndpoint: Sendable {
    /// A file, or its contents.
    package enum Material: Hashable, Sendable {
        case file(String)
        case bytes([UInt8])

        func read(_ what: String) throws(InputError) -> [UInt8] {
            switch self {
            case .bytes(let bytes): return bytes
            case .file(let path):
                guard let data = try? Data(contentsOf: URL(filePath: path)) else {
                    throw InputError(.unreadable, path, at: "read \(what)", "the file cannot be read")
                }
                return [UInt8](data)
            }
        }
    }

    /// Scheme, host and port, without a trailing slash.
    package var url: String
    /// The bearer token. A file is read for each request, because the kubelet replaces it.
    package var token: Material?
    /// CA certificates for the server's certificate; nil for the system's.
    package var authority: Material?
    /// The client's certificate and its key, both in PEM.
    package var certificate: Material?
    package var key: Material?
    /// The server's address, if the URL has the name of its certificate instead.
    package var address: String?

    package init(url: String, tokenFile: String? = nil, caFile: String? = nil) {
        self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
        token = tokenFile.map { .file($0) }
        authority = caFile.map { .file($0) }
    }

    private static let folder = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// The endpoint from the environment variables and files of a pod; nil outside of a pod.
    package static func inCluster(_ environment: [String: String]) -> APIEndpoint? {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], let port = environment["KUBERNETES_SERVICE_PORT"] else {
            return nil
        }
        let name = host.contains(":") ? "[\(host)]" : host
        return APIEndpoint(url: "https://\(name):\(port)", tokenFile: folder + "/token", caFile: folder + "/ca.crt")
    }

    func bearerToken() throws(APIError) -> String? {
        guard let token else { return nil }
        do throws(InputError) {
            let text = String(decoding: try token.read("the token"), as: UTF8.self)
            return String(text.prefix { !$0.isWhitespace })
        } catch {
            throw APIError(.noToken, "read the token for", url, error.description)
        }
    }

    /// The configuration of an HTTP client for this server.
    ///
    /// - Parameter limit: the limit of concurrent connections. Further requests wait in the client.
    package func configuration(limit: Int = 8) throws(InputError) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(5)
        // APIClient has its own retries.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = limit
        // Servers send bookmarks, so that a watch that is silent for this long has a dead connection.
        configuration.timeout.read = .minutes(11)
        var tls = TLSConfiguration.makeClientConfiguration()
        do {
            if let authority {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(try authority.read("the certificates of the API server")))
            }
            if let certificate {
                tls.certificateChain = try NIOSSLCertificate.fromPEMBytes(try certificate.read("our certificate")).map { .certificate($0) }
            }
            if let key { tls.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: try key.read("our key"), format: .pem)) }
        } catch let error as InputError {
            throw error
        } catch {
            throw InputError(.malformed, url, at: "read certificates and key", "not PEM: \(error)")
        }
        configuration.tlsConfiguration = tls
        if let address, let host = URLComponents(string: url)?.host { configuration.dnsOverride = [host: address] }
        return configuration
    }
}
