/*
 * ping: ICMP echo over a raw socket; udp-echo: sends back every datagram that it gets.
 *
 * The kernel's clock on this machine counts ticks of 1/128 s, and so do the times printed. Sources: RFC 792, RFC 768.
 */
#include "sys.h"

enum { ECHO_REPLY = 0, ECHO_REQUEST = 8, DATA_BYTES = 56, IDENTIFIER = 0x4558 };

struct echo {
	u8 type, code;
	u16 checksum, identifier, sequence;
	u8 data[DATA_BYTES];
};

u32 address(const char *text)
{
	u32 value = 0;
	for (int part = 0; part < 4; part++) {
		if (*text < '0' || *text > '9')
			return 0;
		u32 byte = number(text);
		while (*text >= '0' && *text <= '9')
			text++;
		if (byte > 255 || *text != (part < 3 ? '.' : '\0'))
			return 0;
		text++;
		value = value << 8 | byte;
	}
	return htonl(value);
}

static u16 checksum(const void *data, size_t n)
{
	const u16 *p = data;
	u32 sum = 0;
	for (; n > 1; n -= 2)
		sum += *p++;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (u16)~sum;
}

static u32 milliseconds(void)
{
	struct timeval now;
	sys(SYS_gettimeofday, &now, NULL);
	return (u32)now.sec * 1000 + (u32)now.usec / 1000;
}

/* Waits for the reply to `sequence`, at most a second; returns its length with the IP header, or a negative error. */
static long reply(long socket, u16 sequence, u8 *packet, size_t bytes)
{
	for (;;) {
		long n = sys(SYS_recvfrom, socket, packet, bytes, 0, NULL, NULL);
		if (n < 0)
			return n;
		const struct echo *echo = (void *)(packet + (packet[0] & 15) * 4);
		if (n >= 28 && echo->type == ECHO_REPLY && echo->identifier == IDENTIFIER && echo->sequence == sequence)
			return n;
	}
}

/* ping <address> [<times>] */
int ping(int count, char **words)
{
	struct sockaddr_in to = { AF_INET, 0, count > 1 ? address(words[1]) : 0, { 0 } };
	u32 times = count > 2 ? number(words[2]) : 4;
	u32 received = 0;
	if (to.addr == 0) {
		say("usage: ping <address> [<times>]\n");
		return 2;
	}
	long socket = sys(SYS_socket, AF_INET, SOCK_RAW, IPPROTO_ICMP);
	if (socket < 0)
		return failed("socket", socket);
	struct timeval second = { 1, 0 };
	sys(SYS_setsockopt, socket, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
	for (u32 i = 1; i <= times; i++) {
		u8 packet[256];
		struct echo echo = { ECHO_REQUEST, 0, 0, IDENTIFIER, htons((u16)i), { 0 } };
		for (u32 j = 0; j < DATA_BYTES; j++)
			echo.data[j] = (u8)j;
		echo.checksum = checksum(&echo, sizeof echo);
		u32 sent = milliseconds();
		long n = sys(SYS_sendto, socket, &echo, sizeof echo, 0, &to, sizeof to);
		if (n >= 0)
			n = reply(socket, echo.sequence, packet, sizeof packet);
		if (n < 0) {
			say("no answer from %s: seq=%u, error %d\n", words[1], i, (int)-n);
			continue;
		}
		received++;
		say("%d bytes from %s: seq=%u ttl=%u time=%u ms\n", (int)n - 20, words[1], i, packet[8],
		    milliseconds() - sent);
	}
	say("%u sent, %u received\n", times, received);
	return received == times ? 0 : 1;
}

/* udp-echo <port> [<datagrams>]: for ever, or so many. */
int udp_echo(int count, char **words)
{
	struct sockaddr_in self = { AF_INET, htons((u16)(count > 1 ? number(words[1]) : 7)), 0, { 0 } };
	u32 left = count > 2 ? number(words[2]) : 0;
	static u8 packet[1500];
	long socket = sys(SYS_socket, AF_INET, SOCK_DGRAM, 0);
	long error = socket < 0 ? socket : sys(SYS_bind, socket, &self, sizeof self);
	if (error < 0)
		return failed("udp-echo", error);
	say("echoing at port %u\n", htons(self.port));
	do {
		struct sockaddr_in from;
		u32 bytes = sizeof from;
		long n = sys(SYS_recvfrom, socket, packet, sizeof packet, 0, &from, &bytes);
		if (n < 0)
			return failed("recvfrom", n);
		sys(SYS_sendto, socket, packet, n, 0, &from, sizeof from);
	} while (left == 0 || --left > 0);
	return 0;
}
