<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/"><xsl:call-template name="total"><xsl:with-param name="orders" select="orders/order"/></xsl:call-template><xsl:text>&#10;</xsl:text><xsl:call-template name="count"><xsl:with-param name="n" select="700"/></xsl:call-template></xsl:template>
<xsl:template name="total"><xsl:param name="orders"/><xsl:param name="sum" select="0"/><xsl:choose><xsl:when test="$orders"><xsl:call-template name="total"><xsl:with-param name="orders" select="$orders[position() &gt; 1]"/><xsl:with-param name="sum" select="$sum + $orders[1]/qty * $orders[1]/price"/></xsl:call-template></xsl:when><xsl:otherwise><xsl:value-of select="$sum"/></xsl:otherwise></xsl:choose></xsl:template>
<xsl:template name="count"><xsl:param name="n"/><xsl:if test="$n &gt; 0"><xsl:value-of select="$n mod 10"/><xsl:call-template name="count"><xsl:with-param name="n" select="$n - 1"/></xsl:call-template></xsl:if></xsl:template>
</xsl:stylesheet>
