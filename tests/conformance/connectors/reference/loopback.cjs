// Loaded before a server that would listen on all interfaces: it listens on this machine's own alone.
const net = require("node:net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  const told = rest.filter((one) => typeof one === "function");
  return typeof port === "object" ? listen.call(this, port, ...rest) : listen.call(this, { port: Number(port), host: "127.0.0.1" }, ...told);
};
