//! nginx's configurations. They do the proxy's work: the host is passed on, and the headers that say who asks.

use std::path::Path;

/// How nginx is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setup {
    /// As somebody sets it up who cares: kept connections to the service, HTTP/1.1, no access log.
    Tuned,
    /// As it stood where Dormouse stands now: a connection for each request, and the default access log.
    Replaced,
    /// Tuned, and for large bodies.
    Large,
    /// The same, and what a client takes slowly is not put into files meanwhile.
    Unspooled,
}

/// The text of `nginx.conf`.
pub fn config(setup: Setup, directory: &Path, port: u16, service: u16, root: bool) -> String {
    let at = directory.display();
    // Workers of another user could not enter the directory.
    let user = if root { "user root;" } else { "" };
    let service_block = match setup {
        Setup::Replaced => format!("upstream service {{ server 127.0.0.1:{service}; }}"),
        // Never a new connection in the middle of a measurement.
        Setup::Tuned | Setup::Large | Setup::Unspooled => format!(
            "upstream service {{ server 127.0.0.1:{service}; keepalive 64; keepalive_requests 100000000; }}
    keepalive_requests 100000000;"
        ),
    };
    let (version, connection, log) = match setup {
        Setup::Replaced => ("", "", format!("access_log {at}/access.log combined;")),
        Setup::Tuned | Setup::Large | Setup::Unspooled => {
            ("proxy_http_version 1.1;", r#"proxy_set_header Connection "";"#, "access_log off;".to_owned())
        }
    };
    let large = match setup {
        Setup::Tuned | Setup::Replaced => "",
        Setup::Large | Setup::Unspooled => {
            "proxy_buffers 8 64k; proxy_request_buffering off; client_body_buffer_size 256k;"
        }
    };
    let spool = if setup == Setup::Unspooled { "proxy_max_temp_file_size 0;" } else { "" };
    format!(
        r#"{user}
worker_processes 1;
daemon off;
pid {at}/pid;
error_log {at}/error.log;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
    {log}
    client_body_temp_path {at}/body;
    proxy_temp_path {at}/proxy;
    fastcgi_temp_path {at}/fastcgi;
    uwsgi_temp_path {at}/uwsgi;
    scgi_temp_path {at}/scgi;
    client_max_body_size 0;
    {large}
    {spool}
    {service_block}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        {connection}
        {version}
        location / {{ proxy_pass http://service; }}
        location /socket {{
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
        }}
    }}
}}
"#
    )
}
